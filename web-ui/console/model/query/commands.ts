// The commands, named as those of `etcdctl`, and the request that each of them is.
import { base64, base64OfBytes, ofBytes } from "../keys";
import { prefixEnd } from "../bytes";
import type { Call } from "./call";
import type { Word } from "./words";

export interface Given {
  args: readonly Word[];
  has: (flag: string) => boolean;
  value: (flag: string) => Word | undefined;
}

export interface Command {
  name: string;
  args: string;
  about: string;
  /** How many words may follow. */
  takes: readonly [least: number, most: number];
  /** What follows a flag, and what the flag is for; nothing follows a switch. */
  flags: Record<string, { value?: string; about: string }>;
  changes: boolean;
  /** The first word is a key. */
  isOfKeys?: true;
  call: (given: Given) => Omit<Call, "changes">;
}

/** What is wrong with what was written. */
export class Wrong extends Error {}

const RANGE = {
  "--prefix": { about: "all keys that begin so" },
  "--from-key": { about: "this key and all behind it" },
};
const ORDER = ["ASCEND", "DESCEND"];
const SORT = ["VERSION", "CREATE", "MODIFY", "KEY", "VALUE"];
const MOST_EVENTS = 500;
const EVENTS = 10;

function number(given: Given, flag: string): string | undefined {
  const text = given.value(flag)?.text;
  return text === undefined ? undefined : whole(text, flag);
}

function whole(text: string, what: string): string {
  if (!/^\d{1,19}$/.test(text) || BigInt(text) > 9_223_372_036_854_775_807n) throw new Wrong(`${what} is a number, and not ${text}`);
  return text;
}

/** A lease as etcdctl writes it, in hexadecimal; or as it stands in answers, in decimal, which for those that the server names is longer. */
export function leaseOf(text: string): string {
  if (/^[0-9a-f]{1,16}$/i.test(text)) return BigInt(`0x${text}`).toString();
  if (/^\d{17,19}$/.test(text)) return text;
  throw new Wrong(`A lease is a number in hexadecimal, and not ${text}`);
}

function oneOf(given: Given, flag: string, all: readonly string[]): string | undefined {
  const text = given.value(flag)?.text.toUpperCase();
  if (text !== undefined && !all.includes(text)) throw new Wrong(`${flag} is one of ${all.join(", ")}, and not ${text}`);
  return text;
}

const post = (path: string, body: unknown): Omit<Call, "changes"> => ({ method: "POST", path: `/v3/${path}`, body: JSON.stringify(body) });

/** The first word and the last of a range, in base64. */
function range(given: Given): { key: string; range_end?: string } {
  const [first, last] = given.args;
  const own = base64OfBytes(first?.bytes ?? new Uint8Array());
  const isPrefix = given.has("--prefix");
  const ways = [isPrefix && "--prefix", given.has("--from-key") && "--from-key", last && "an end"].filter((way) => typeof way === "string");
  if (ways.length > 1) throw new Wrong(`${ways.join(" and ")} do not go together`);
  const key = own === "" && (isPrefix || given.has("--from-key")) ? "AA==" : own;
  if (key === "") throw new Wrong("The key is empty: --prefix makes all keys of it");
  if (isPrefix) return { key, range_end: own === "" ? "AA==" : prefixEnd(own) };
  if (given.has("--from-key")) return { key, range_end: "AA==" };
  return last ? { key, range_end: base64OfBytes(last.bytes) } : { key };
}

function watched(given: Given): string {
  const most = number(given, "--events") ?? String(EVENTS);
  if (Number(most) < 1 || Number(most) > MOST_EVENTS) throw new Wrong(`--events is a number from 1 to ${MOST_EVENTS}`);
  const { key, range_end: end } = range(given);
  const query = new URLSearchParams();
  const isPrefix = given.has("--prefix");
  const b64 = (base: string): string => base64(ofBytes(Uint8Array.from(atob(base), (char) => char.charCodeAt(0))));
  if (isPrefix) query.set("prefix_b64", given.args[0]?.bytes.length ? b64(key) : "");
  else query.set("key_b64", b64(key));
  if (!isPrefix && end !== undefined) query.set("range_end_b64", b64(end));
  const from = number(given, "--rev");
  if (from !== undefined && from !== "0") query.set("start_revision", from);
  if (given.has("--prev-kv")) query.set("prev_kv", "true");
  return `/v3/watch?${query.toString()}`;
}

export const COMMANDS: readonly Command[] = [
  {
    name: "get", args: "KEY [END]", about: "keys and their values", takes: [1, 2], changes: false, isOfKeys: true,
    flags: {
      ...RANGE, "--limit": { value: "N", about: "so many at most" }, "--rev": { value: "REVISION", about: "as it was then" }, "--keys-only": { about: "without values" }, "--count-only": { about: "how many there are" },
      "--order": { value: "ASCEND", about: ORDER.join(", ") }, "--sort-by": { value: "KEY", about: SORT.join(", ") }, "--consistency": { value: "l", about: "l: what the cluster has; s: what this member has" },
    },
    call: (given) => {
      const consistency = given.value("--consistency")?.text;
      if (consistency !== undefined && consistency !== "l" && consistency !== "s") throw new Wrong(`--consistency is l or s, and not ${consistency}`);
      return post("kv/range", {
        ...range(given), limit: number(given, "--limit"), revision: number(given, "--rev"), keys_only: given.has("--keys-only") || undefined, count_only: given.has("--count-only") || undefined,
        sort_order: oneOf(given, "--order", ORDER), sort_target: oneOf(given, "--sort-by", SORT)?.replace("MODIFY", "MOD"), serializable: consistency === "s" || undefined,
      });
    },
  },
  {
    name: "put", args: "KEY VALUE", about: "stores a value", takes: [1, 2], changes: true, isOfKeys: true,
    flags: { "--lease": { value: "ID", about: "it ends with the lease" }, "--prev-kv": { about: "tells what was there" }, "--ignore-value": { about: "the value stays" }, "--ignore-lease": { about: "the lease stays" } },
    call: (given) => {
      const [key, value] = given.args;
      const stays = given.has("--ignore-value");
      if (stays === (value !== undefined)) throw new Wrong(stays ? "With --ignore-value there is no value" : "put wants a key and a value");
      const lease = given.value("--lease")?.text;
      const bytes = { key: base64OfBytes(key?.bytes ?? new Uint8Array()), value: value && base64OfBytes(value.bytes) };
      return post("kv/put", { ...bytes, lease: lease === undefined ? undefined : leaseOf(lease), prev_kv: given.has("--prev-kv") || undefined, ignore_value: stays || undefined, ignore_lease: given.has("--ignore-lease") || undefined });
    },
  },
  {
    name: "del", args: "KEY [END]", about: "deletes keys", takes: [1, 2], changes: true, isOfKeys: true,
    flags: { ...RANGE, "--prev-kv": { about: "tells what was there" } },
    call: (given) => post("kv/deleterange", { ...range(given), prev_kv: given.has("--prev-kv") || undefined }),
  },
  {
    name: "watch", args: "KEY [END]", about: "changes, as they happen", takes: [1, 2], changes: false, isOfKeys: true,
    flags: { "--prefix": RANGE["--prefix"], "--rev": { value: "REVISION", about: "from then on" }, "--prev-kv": { about: "tells what was there" }, "--events": { value: "N", about: `ends after so many, or after ${EVENTS}` } },
    call: (given) => ({ method: "GET", path: watched(given), accept: "application/x-ndjson", most: Number(given.value("--events")?.text ?? EVENTS) }),
  },
  { name: "lease grant", args: "SECONDS", about: "grants a lease", takes: [1, 1], changes: true, flags: {}, call: ({ args }) => post("lease/grant", { TTL: whole(args[0]?.text ?? "", "The time to live") }) },
  { name: "lease revoke", args: "ID", about: "ends a lease, and its keys", takes: [1, 1], changes: true, flags: {}, call: ({ args }) => post("lease/revoke", { ID: leaseOf(args[0]?.text ?? "") }) },
  { name: "lease list", args: "", about: "all leases", takes: [0, 0], changes: false, flags: {}, call: () => post("lease/leases", {}) },
  {
    name: "lease timetolive", args: "ID", about: "what is left of a lease", takes: [1, 1], changes: false, flags: { "--keys": { about: "and its keys" } },
    call: (given) => post("lease/timetolive", { ID: leaseOf(given.args[0]?.text ?? ""), keys: given.has("--keys") || undefined }),
  },
  { name: "member list", args: "", about: "the members", takes: [0, 0], changes: false, flags: {}, call: () => post("cluster/member/list", {}) },
  { name: "endpoint status", args: "", about: "the member that is asked", takes: [0, 0], changes: false, flags: {}, call: () => post("maintenance/status", {}) },
  { name: "alarm list", args: "", about: "alarms that are raised", takes: [0, 0], changes: false, flags: {}, call: () => post("maintenance/alarm", { action: "GET" }) },
  { name: "user list", args: "", about: "the users", takes: [0, 0], changes: false, flags: {}, call: () => post("auth/user/list", {}) },
  { name: "role list", args: "", about: "the roles", takes: [0, 0], changes: false, flags: {}, call: () => post("auth/role/list", {}) },
  {
    name: "compaction", args: "REVISION", about: "forgets what was before", takes: [1, 1], changes: true, flags: { "--physical": { about: "waits until the space is free" } },
    call: (given) => post("kv/compaction", { revision: whole(given.args[0]?.text ?? "", "The revision"), physical: given.has("--physical") || undefined }),
  },
];
