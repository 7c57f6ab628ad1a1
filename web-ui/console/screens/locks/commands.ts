import { endpoint } from "../../api/base";
import { addressOfLine } from "../../api/lines";
import { curl, etcdctl, quotedKey } from "../../model/copy";
import type { Key } from "../../model/keys";
import { hexId } from "../../model/text";
import type { Command } from "../../parts/CopyAs";
import { link } from "../../parts/route";

export function lineCommands(name: Key): Command[] {
  const prefix = quotedKey(`${name}/`);
  return [
    { label: "Copy as curl", text: curl({ url: addressOfLine(name) }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, `get --prefix --sort-by CREATE -- ${prefix}`) },
    { label: "Copy link", text: new URL(link("locks", name), document.baseURI).href },
  ];
}

export function releaseCommands(name: Key, lease: string): Command[] {
  return [
    { label: "Copy as curl", text: curl({ url: `${addressOfLine(name)}?lease=${lease}`, method: "DELETE" }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, `lease revoke ${hexId(lease)}`) },
  ];
}

export function takeCommands(name: Key): (readonly [string, string])[] {
  return [
    ["Take a lock for a minute", curl({ url: `${addressOfLine(name)}?ttl=60`, method: "POST", body: "who I am" })],
    ["Hold it while a command runs", etcdctl(endpoint, `lock ${quotedKey(name)} ./nightly.sh`)],
    ["Stand for an election", etcdctl(endpoint, `elect ${quotedKey(name)} m1`)],
  ];
}
