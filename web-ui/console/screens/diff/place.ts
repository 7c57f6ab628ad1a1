// Which prefix is compared, and between which revisions, by the address.
import { type Key, ofAddress } from "../../model/keys";
import { type Route, link } from "../../parts/route";

export interface Place {
  prefix: Key;
  from?: string | undefined;
  /** As it is now, if nothing is said. */
  to?: string | undefined;
}

const revision = (text: string | null): string | undefined => (text !== null && isRevision(text) ? text : undefined);

export function isRevision(text: string): boolean {
  return /^[1-9]\d{0,18}$/.test(text);
}

export function placeOf({ rest, query }: Route): Place {
  return { prefix: ofAddress(rest), from: revision(query.get("from")), to: revision(query.get("to")) };
}

export function addressOf({ prefix, from, to }: Place): string {
  return link("diff", prefix, { from, to });
}
