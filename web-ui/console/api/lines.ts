// Locks and elections: the line behind a name, and which names have one.
import { type Key, bytesOfBase64, ofNamed } from "../model/keys";
import { type Line, type Sample, linesOf } from "../model/lines";
import { address } from "./base";
import { call, send } from "./client";
import type { components } from "./generated/schema";

type Schemas = components["schemas"];

export interface Place {
  key: Key;
  value: Uint8Array;
  revision: string;
  lease: string;
}

export interface LineState {
  /** The first is who holds the lock, or leads. */
  places: Place[];
  /** All of them, also those beyond the limit. */
  count: number;
}

export interface Found {
  lines: Line[];
  /** There are more keys than were looked at. */
  isPart: boolean;
}

const MOST_PAGES = 20;
const MOST_PLACES = 200;

/** Looks among all keys for those that stand in a line. */
export async function find(signal?: AbortSignal): Promise<Found> {
  const all: { key: Key; lease?: string | undefined }[] = [];
  let after: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = { prefix: "", regex: "/[0-9a-f]{1,16}$", keys_only: true, limit: 1_000, after };
    const told = await call("get", "/v3/keys", { query, signal });
    all.push(...told.keys.map((key) => ({ key: ofNamed(key), lease: key.lease })));
    after = told.next;
    if (after === undefined) return { lines: linesOf(all), isPart: false };
  }
  return { lines: linesOf(all), isPart: true };
}

export async function line(name: Key, signal?: AbortSignal): Promise<LineState> {
  // The name is percent-encoded as it is.
  const response = await send(address(`v3/locks/${name}`, { limit: MOST_PLACES }), signal ? { signal } : {});
  const told = (await response.json()) as Schemas["LockState"];
  return { places: [...(told.holder ? [told.holder] : []), ...told.waiters].map(placeOf), count: Number(told.count) };
}

function placeOf(place: Schemas["Place"]): Place {
  const value = place.value_b64 === undefined ? new TextEncoder().encode(place.value ?? "") : bytesOfBase64(place.value_b64);
  return { key: ofNamed(place), value, revision: place.revision, lease: place.lease };
}

/** Takes somebody's place: the next one moves up. */
export async function release(name: Key, lease: string): Promise<void> {
  await send(address(`v3/locks/${name}`, { lease }), { method: "DELETE" });
}

/** When the store had which revision in the last `since` seconds, every `step` of them, the oldest first; nothing where that is not to be known. */
export async function samples(since: number, step: number, signal?: AbortSignal): Promise<Sample[]> {
  const told = await call("get", "/v3/statistics", { query: { since, step }, signal });
  return told.samples.map(({ time, revision }) => ({ time: Date.parse(time), revision: BigInt(revision) }));
}

export function addressOfLine(name: Key): string {
  return address(`v3/locks/${name}`).href;
}

