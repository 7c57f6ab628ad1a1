// What is done with a key here, done elsewhere.
import { address, endpoint } from "../../api/base";
import { curl, etcdctl, quotedBytes, quotedKey } from "../../model/copy";
import { type Key, base64 } from "../../model/keys";
import { hexId } from "../../model/text";
import type { Command } from "../../parts/CopyAs";
import { addressOf } from "./place";

/** The address of a key, in the path if a path can have it. */
export function url(key: Key, query: Record<string, string | undefined> = {}): string {
  const isPath = !key.split("/").some((part) => part === "" || part === "." || part === "..");
  return isPath ? address(`v3/keys/${key}`, query).href : address("v3/keys/", { key_b64: base64(key), ...query }).href;
}

export function readCommands(key: Key, rev?: string, by?: Key): Command[] {
  const at = rev === undefined ? "" : ` --rev ${rev}`;
  return [
    { label: "Copy as curl", text: curl({ url: url(key, { rev }) }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, `get ${quotedKey(key)}${at}`) },
    { label: "Copy link", text: new URL(addressOf({ prefix: "", key, rev, by }), document.baseURI).href },
  ];
}

/** With a time to live of its own, or the id of a lease that there is, in decimal. */
export function writeCommands(key: Key, bytes: Uint8Array, cas: string, bound: { ttl?: string | undefined; lease?: string | undefined } = {}): Command[] {
  const { ttl, lease } = bound;
  const put = (id?: string) => etcdctl(endpoint, `put ${id === undefined ? "" : `--lease=${id} `}-- ${quotedKey(key)} ${quotedBytes(bytes)}`);
  // `etcdctl` grants first, and binds by what it has said.
  const granted = (seconds: string) => `id=$(${etcdctl(endpoint, `lease grant ${seconds}`)} | cut -d' ' -f2) && ${put('"$id"')}`;
  return [
    { label: "Copy as curl", text: curl({ url: url(key, { cas, ttl, lease }), method: "PUT", body: bytes }) },
    { label: "Copy as etcdctl", text: ttl === undefined ? put(lease && hexId(lease)) : granted(ttl) },
  ];
}

export function removeCommands(key: Key, cas: string): Command[] {
  return [
    { label: "Copy as curl: delete", text: curl({ url: url(key, { cas }), method: "DELETE" }) },
    { label: "Copy as etcdctl: delete", text: etcdctl(endpoint, `del -- ${quotedKey(key)}`) },
  ];
}
