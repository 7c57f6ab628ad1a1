// Where one is among the keys, by the address: a prefix whose level is listed, a key that is open, what is searched for.
import type { Search } from "../../api/keys";
import * as local from "../../api/local";
import { type Key, SLASH, ofAddress, ofText, parent, textOf, toBytes } from "../../model/keys";
import { type Route, link } from "../../parts/route";

/** What may stand between levels; with nothing, all keys are one list. None of them is a digit of an escape. */
export const DELIMITERS: readonly Key[] = ["/", ":", ".", "-", "_", "|", ""].map(ofText);
const FLAT = "none";
const NAME = "keyport.keys.by";

function delimiter(text: string | null): Key | undefined {
  if (text === null) return undefined;
  const by = text === FLAT ? "" : ofText(text);
  return DELIMITERS.includes(by) ? by : undefined;
}

const written = (by: Key): string => (by === "" ? FLAT : (textOf(toBytes(by)) ?? ""));

/** The last one that was chosen here, for where an address says nothing: at all keys. */
let chosen = delimiter(localStorage.getItem(NAME)) ?? SLASH;

export function choose(by: Key): void {
  chosen = by;
  local.keep(NAME, written(by));
}

export interface Place {
  prefix: Key;
  key?: Key | undefined;
  search?: Search | undefined;
  /** The open key as it was. */
  rev?: string | undefined;
  /** What makes levels: a slash if nothing is said. */
  by?: Key | undefined;
}

export function placeOf({ rest, query }: Route): Place {
  const at = ofAddress(rest);
  const text = query.get("search") ?? "";
  const looks = query.get("in");
  const search: Search | undefined =
    text === "" ? undefined : { text, regex: query.has("regex"), in: looks === "values" || looks === "both" ? looks : "keys" };
  const by = delimiter(query.get("by")) ?? (at === "" ? chosen : SLASH);
  // Where all keys are one list, slashes say where it begins.
  const end = by === "" ? SLASH : by;
  if (at === "" || (at.endsWith(end) && !query.has("key"))) return { prefix: at, search, by };
  const listed = at.endsWith(end) ? at : parent(at, end);
  const below = search && ofAddress(query.get("below") ?? "");
  return { prefix: below ?? listed, key: at, search, rev: query.get("rev") ?? undefined, by };
}

export function addressOf({ prefix, key, search, rev, by = SLASH }: Place): string {
  const looked = search && { search: search.text, regex: search.regex ? "true" : undefined, in: search.in === "keys" ? undefined : search.in };
  const isSaid = by !== SLASH || (key === undefined && prefix === "" && chosen !== SLASH);
  const levels = { by: isSaid ? written(by) : undefined };
  if (key === undefined) return link("keys", prefix, { ...looked, ...levels });
  const below = search ? prefix : undefined;
  return link("keys", key, { ...looked, below, rev, key: key.endsWith(by === "" ? SLASH : by) ? "true" : undefined, ...levels });
}
