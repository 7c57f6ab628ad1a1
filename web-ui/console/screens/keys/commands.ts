// What is done with a key here, done elsewhere.
import { address, endpoint } from "../../api/base";
import { curl, etcdctl, quotedBytes, quotedKey } from "../../model/copy";
import { type Key, base64 } from "../../model/keys";
import type { Command } from "../../parts/CopyAs";
import { addressOf } from "./place";

/** The address of a key, in the path if a path can have it. */
export function url(key: Key, query: Record<string, string | undefined> = {}): string {
  const isPath = !key.split("/").some((part) => part === "" || part === "." || part === "..");
  return isPath ? address(`v3/keys/${key}`, query).href : address("v3/keys/", { key_b64: base64(key), ...query }).href;
}

export function readCommands(key: Key, rev?: string): Command[] {
  const at = rev === undefined ? "" : ` --rev ${rev}`;
  return [
    { label: "Copy as curl", text: curl({ url: url(key, { rev }) }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, `get ${quotedKey(key)}${at}`) },
    { label: "Copy link", text: new URL(addressOf({ prefix: "", key, rev }), document.baseURI).href },
  ];
}

export function writeCommands(key: Key, bytes: Uint8Array, cas: string): Command[] {
  return [
    { label: "Copy as curl", text: curl({ url: url(key, { cas }), method: "PUT", body: bytes }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, `put -- ${quotedKey(key)} ${quotedBytes(bytes)}`) },
  ];
}

export function removeCommands(key: Key, cas: string): Command[] {
  return [
    { label: "Copy as curl", text: curl({ url: url(key, { cas }), method: "DELETE" }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, `del -- ${quotedKey(key)}`) },
  ];
}
