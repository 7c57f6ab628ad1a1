// What is watched, by the address.
import { type Wanted, streamAddress } from "../../api/changes";
import { endpoint } from "../../api/base";
import { curl, etcdctl, quotedKey } from "../../model/copy";
import { ofAddress } from "../../model/keys";
import type { Command } from "../../parts/CopyAs";
import type { Route } from "../../parts/route";

export function wantedOf({ query }: Route): Wanted {
  const show = query.get("show");
  const from = query.get("from") ?? "";
  return {
    prefixes: query.getAll("prefix").map(ofAddress),
    keys: query.getAll("key").map(ofAddress),
    puts: show !== "deletes",
    deletes: show !== "puts",
    from: /^[1-9]\d{0,18}$/.test(from) ? from : undefined,
  };
}

export function addressOf({ prefixes, keys, puts, deletes, from }: Wanted): string {
  const query = new URLSearchParams();
  for (const prefix of prefixes) query.append("prefix", prefix);
  for (const key of keys) query.append("key", key);
  if (!puts || !deletes) query.set("show", puts ? "puts" : "deletes");
  if (from !== undefined) query.set("from", from);
  const text = query.toString().replaceAll("%2F", "/");
  return text ? `#/watch?${text}` : "#/watch";
}

export function commandsOf(wanted: Wanted): Command[] {
  const rev = wanted.from === undefined ? "" : ` --rev ${wanted.from}`;
  const all = [...wanted.prefixes.map((prefix) => (prefix === "" ? `--prefix ${rev} ''` : `--prefix${rev} -- ${quotedKey(prefix)}`)), ...wanted.keys.map((key) => `${rev} -- ${quotedKey(key)}`.trim())];
  const each = all.map((words) => etcdctl(endpoint, `watch --prev-kv ${words.replaceAll("  ", " ")}`));
  return [
    { label: "Copy as curl", text: curl({ url: streamAddress(wanted) }).replace("curl -s", "curl -sN") },
    { label: "Copy as etcdctl", text: each.length > 1 ? `${each.join(" & ")} & wait` : (each[0] ?? "") },
    { label: "Copy link", text: new URL(addressOf(wanted), document.baseURI).href },
  ];
}
