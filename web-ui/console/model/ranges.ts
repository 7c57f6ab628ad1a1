// Which keys a permission is for, as the API writes it and as people read it.
import { type Key, base64, ofNamed, ofText, show } from "./keys";

/** One key, all with a prefix, or those from one on, up to another. */
export interface Range {
  key?: string;
  key_b64?: string;
  prefix?: string;
  prefix_b64?: string;
  from?: string;
  from_b64?: string;
  to?: string;
  to_b64?: string;
}

export type Kind = "key" | "prefix" | "all" | "from";

function keyOf(text: string | undefined, encoded: string | undefined): Key | undefined {
  return text === undefined && encoded === undefined ? undefined : ofNamed({ key: text, key_b64: encoded });
}

export function words(range: Range): string {
  const prefix = keyOf(range.prefix, range.prefix_b64);
  if (prefix === "") return "all keys";
  if (prefix !== undefined) return `${show(prefix)}…`;
  const from = keyOf(range.from, range.from_b64);
  const to = keyOf(range.to, range.to_b64);
  if (from === undefined) return show(keyOf(range.key, range.key_b64) ?? "");
  return to === undefined ? `${show(from)} and all behind it` : `${show(from)} up to ${show(to)}`;
}

/** The level of the keys screen that has all of it; nothing where no level is the same. */
export function levelOf(range: Range): Key | undefined {
  const prefix = keyOf(range.prefix, range.prefix_b64);
  return prefix === "" || prefix?.endsWith("/") === true ? prefix : undefined;
}

/** The same as parameters of an address. */
export function query(range: Range): Record<string, string> {
  const pairs = (["key", "prefix", "from", "to"] as const).flatMap((name) => {
    const key = keyOf(range[name], range[`${name}_b64`]);
    return key === undefined ? [] : [[`${name}_b64`, base64(key)] as const];
  });
  return Object.fromEntries(pairs);
}

/** What is typed, as a range; nothing where it is none. */
export function rangeOf(kind: Kind, text: string, to: string): Range | undefined {
  if (kind === "all") return { prefix: "" };
  if (text === "") return undefined;
  if (kind === "from") return to === "" ? { from: text } : to > text ? { from: text, to } : undefined;
  return { [kind]: text };
}

/** What somebody should know of a prefix before it is granted. */
export function hint(kind: Kind, text: string): string {
  if (kind === "all") return "Everything that there is, and will be.";
  if (kind === "key") return "This key alone, and nothing below it.";
  if (kind === "from") return "In the order of the store. Without an end: all keys behind it.";
  if (text === "") return "What keys begin with, such as app/";
  if (text.endsWith("/")) return `${text}a and ${text}b/c, but not ${text.slice(0, -1)} itself.`;
  return `Also ${text}2 and ${text}-other: end it with / if it is to be a folder.`;
}

/** As etcdctl takes a range. */
export function etcdctlWords(range: Range, quote: (key: Key) => string): string {
  const prefix = keyOf(range.prefix, range.prefix_b64);
  if (prefix !== undefined) return prefix === "" ? "--prefix ''" : `--prefix ${quote(prefix)}`;
  const from = keyOf(range.from, range.from_b64);
  const to = keyOf(range.to, range.to_b64);
  if (from === undefined) return quote(keyOf(range.key, range.key_b64) ?? ofText(""));
  return to === undefined ? `--from-key ${quote(from)}` : `${quote(from)} ${quote(to)}`;
}
