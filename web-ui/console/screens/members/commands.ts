import { address, endpoint } from "../../api/base";
import { curl, etcdctl, quoted } from "../../model/copy";
import type { Command } from "../../parts/CopyAs";

function pair(path: string, method: string, words: string, body?: unknown): Command[] {
  return [
    { label: "Copy as curl", text: curl({ url: address(path).href, method, ...(body !== undefined && { body: JSON.stringify(body) }) }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, words) },
  ];
}

export const commands = {
  list: () => pair("v3/overview", "GET", "endpoint status --cluster -w table"),
  add: (name: string, url: string, learner: boolean) =>
    pair("v3/members", "POST", `member add ${quoted(name || "NAME")} --peer-urls ${quoted(url || "URL")}${learner ? " --learner" : ""}`, { peer_urls: [url], learner }),
  move: (hex: string, urls: readonly string[]) => pair(`v3/members/0x${hex}`, "PATCH", `member update ${hex} --peer-urls ${quoted(urls.join(",") || "URL")}`, { peer_urls: urls }),
  promote: (hex: string) => pair(`v3/members/0x${hex}/promote`, "POST", `member promote ${hex}`),
  remove: (hex: string) => pair(`v3/members/0x${hex}`, "DELETE", `member remove ${hex}`),
  lead: (hex: string) => pair(`v3/members/0x${hex}/lead`, "POST", `move-leader ${hex}`),
  compact: (revision: string) => pair("v3/kv/compaction", "POST", `compact ${revision}`, { revision }),
  disarm: () => pair("v3/alarms", "DELETE", "alarm disarm"),
  defragment: () => pair("v3/maintenance/defragment", "POST", "defrag", {}),
};
