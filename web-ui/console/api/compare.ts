// What is below a prefix at two revisions. Lists come by the page, so that whoever has seen enough keeps no connection for the rest.
import { type Difference, type Step, differences } from "../model/compare";
import { type Key, base64 } from "../model/keys";
import type { KeyRow } from "../model/rows";
import { address } from "./base";
import { call } from "./client";
import { type Value, get, rowOf } from "./keys";
import { samples } from "./lines";
import { Problem } from "./problem";

/** Keys of a page, without their values. */
const PAGE = 5_000;
/** Of larger values the beginning is compared. */
const MOST_WHOLE = 256 * 1024;

async function* pagesAt(prefix: Key, rev: string, signal: AbortSignal): AsyncGenerator<KeyRow[]> {
  const ask = (after?: string) => call("get", "/v3/keys", { query: { prefix_b64: base64(prefix), recursive: true, keys_only: true, limit: PAGE, rev, after }, signal });
  for (let coming: ReturnType<typeof ask> | undefined = ask(); coming; ) {
    const page: Awaited<ReturnType<typeof ask>> = await coming;
    // The next one comes while this one is looked at; if that fails, it is heard of when it is waited for.
    coming = page.next === undefined ? undefined : ask(page.next);
    coming?.catch(() => undefined);
    yield page.keys.map(rowOf);
  }
}

/** What is different below a prefix, in the order of keys, `most` at a time. */
export function compared(prefix: Key, from: string, to: string, most: number, signal: AbortSignal): AsyncGenerator<Step, void> {
  return differences(pagesAt(prefix, from, signal), pagesAt(prefix, to, signal), most);
}

export function listAddress(prefix: Key, rev: string): string {
  return address("v3/keys", { prefix_b64: base64(prefix), recursive: true, keys_only: true, rev }).href;
}

export interface Sides {
  before: Value | undefined;
  after: Value | undefined;
}

/** The value of a key at both revisions. */
export async function sidesOf({ key, before, after }: Difference, from: string, to: string, signal?: AbortSignal): Promise<Sides> {
  const at = (row: KeyRow | undefined, rev: string) => (row ? get(key, row.size <= MOST_WHOLE, rev, signal) : undefined);
  const [old, now] = await Promise.all([at(before, from), at(after, to)]);
  return { before: old, after: now };
}

/** The oldest revision at which a prefix can be read. */
export async function oldest(prefix: Key): Promise<string> {
  try {
    await call("get", "/v3/keys", { query: { prefix_b64: base64(prefix), keys_only: true, limit: 1, rev: "1" } });
    return "1";
  } catch (error) {
    if (error instanceof Problem && error.details.oldest_revision !== undefined) return error.details.oldest_revision;
    throw error;
  }
}

/** The revision that the store had some seconds ago, and since when that is known. Nothing where nothing is. */
export async function revisionSince(seconds: number, step: number): Promise<{ revision: string; time: number } | undefined> {
  const [first] = await samples(seconds, step);
  return first && { revision: first.revision.toString(), time: first.time };
}
