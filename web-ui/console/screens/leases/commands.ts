import { address, endpoint } from "../../api/base";
import { curl, etcdctl } from "../../model/copy";
import { hexId } from "../../model/text";
import type { Command } from "../../parts/CopyAs";
import { link } from "../../parts/route";

function pair(url: string, method: string, words: string, body?: string): Command[] {
  return [
    { label: "Copy as curl", text: curl({ url: address(url).href, method, ...(body !== undefined && { body }) }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, words) },
  ];
}

export function grantCommands(ttl: string, id: string | undefined): Command[] {
  const body = JSON.stringify(id === undefined ? { ttl } : { ttl, id });
  // etcdctl lets nobody choose an id.
  return pair("v3/leases", "POST", `lease grant ${ttl}`, body).slice(0, id === undefined ? 2 : 1);
}

export function readCommands(id: string): Command[] {
  const here = { label: "Copy link", text: new URL(link("leases", hexId(id)), document.baseURI).href };
  return [
    { label: "Copy as curl", text: curl({ url: address(`v3/leases/0x${hexId(id)}?keys`).href }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, `lease timetolive --keys ${hexId(id)}`) },
    here,
  ];
}

export function keepAliveCommands(id: string): Command[] {
  return pair(`v3/leases/0x${hexId(id)}/keepalive`, "POST", `lease keep-alive --once ${hexId(id)}`);
}

export function revokeCommands(id: string): Command[] {
  return pair(`v3/leases/0x${hexId(id)}`, "DELETE", `lease revoke ${hexId(id)}`);
}
