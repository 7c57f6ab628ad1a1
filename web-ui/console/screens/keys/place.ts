// Where one is among the keys, by the address: a prefix whose level is listed, a key that is open, what is searched for.
import type { Search } from "../../api/keys";
import { type Key, ofAddress, parent } from "../../model/keys";
import { type Route, link } from "../../parts/route";

export interface Place {
  prefix: Key;
  key?: Key | undefined;
  search?: Search | undefined;
  /** The open key as it was. */
  rev?: string | undefined;
}

export function placeOf({ rest, query }: Route): Place {
  const at = ofAddress(rest);
  const text = query.get("search") ?? "";
  const looks = query.get("in");
  const search: Search | undefined =
    text === "" ? undefined : { text, regex: query.has("regex"), in: looks === "values" || looks === "both" ? looks : "keys" };
  if (at === "" || (at.endsWith("/") && !query.has("key"))) return { prefix: at, search };
  const listed = at.endsWith("/") ? at : parent(at);
  const below = search && ofAddress(query.get("below") ?? "");
  return { prefix: below ?? listed, key: at, search, rev: query.get("rev") ?? undefined };
}

export function addressOf({ prefix, key, search, rev }: Place): string {
  const looked = search && { search: search.text, regex: search.regex ? "true" : undefined, in: search.in === "keys" ? undefined : search.in };
  if (key === undefined) return link("keys", prefix, looked ?? {});
  const below = search ? prefix : undefined;
  return link("keys", key, { ...looked, below, rev, key: key.endsWith("/") ? "true" : undefined });
}
