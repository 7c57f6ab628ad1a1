// Subtrees out of the store and into it.
import { type Key, base64, base64OfBytes, bytesOfBase64, compare, ofNamed, textOf, toBytes } from "../model/keys";
import type { Told } from "../model/lifetimes";
import { atOnce } from "../model/pool";
import type { Row } from "../model/rows";
import type { There } from "../model/transfer";
import { address } from "./base";
import { send } from "./client";
import type { components } from "./generated/schema";
import { get, isThere, lease as leaseOf, revisionAt } from "./keys";
import { Problem } from "./problem";

type KeyValue = components["schemas"]["KeyValue"];

export function snapshotAddress(): string {
  return address("v3/snapshot").href;
}

/** A file of lines, as the server sends it. */
export function exportAddress(prefix: Key): string {
  return address("v3/keys", { prefix_b64: base64(prefix), recursive: true, download: true }).href;
}

/** All keys below a prefix, as they come. */
async function* keysBelow(prefix: Key, rev?: string): AsyncGenerator<KeyValue[]> {
  const response = await send(address("v3/keys", { prefix_b64: base64(prefix), recursive: true, rev }), { headers: { accept: "application/x-ndjson" } });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  const read = (line: string): KeyValue[] => {
    if (line === "") return [];
    const one = JSON.parse(line) as KeyValue & { status?: number; detail?: string };
    if (one.status !== undefined) throw new Error(one.detail ?? "The list broke off");
    return [one];
  };
  try {
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      const parts = (rest + part.value).split("\n");
      rest = parts.pop() ?? "";
      yield parts.flatMap(read);
    }
    yield read(rest);
  } finally {
    // Whoever wants no more of it keeps no connection for it.
    await reader?.cancel();
  }
}

function thereOf(kv: KeyValue): There {
  const value = kv.value_b64 === undefined ? new TextEncoder().encode(kv.value ?? "") : bytesOfBase64(kv.value_b64);
  return { key: ofNamed(kv), value, modRevision: kv.mod_revision, lease: kv.lease };
}

/** What is below a prefix now. */
export async function there(prefix: Key, told: (count: number) => void): Promise<There[]> {
  const all: There[] = [];
  for await (const some of keysBelow(prefix)) {
    all.push(...some.map(thereOf));
    told(all.length);
  }
  return all;
}

/** What is under a prefix, or under a key alone, as it is to be moved. Ends at once where there is more than `most`. */
export async function sources(rows: readonly Row[], most: { keys: number; bytes: number }): Promise<There[] | undefined> {
  const all: There[] = [];
  let size = 0;
  const take = (one: There): void => {
    all.push(one);
    size += one.value.length;
  };
  const isMany = (): boolean => all.length > most.keys || size > most.bytes;
  await atOnce(MOST_AT_ONCE, rows.filter(({ kind }) => kind === "key"), async ({ key }) => {
    if (isMany()) return;
    const { bytes, modRevision, lease } = await get(key, true);
    take({ key, value: bytes, modRevision, lease });
  });
  for (const { key } of rows.filter(({ kind }) => kind === "level")) {
    for await (const some of keysBelow(key)) {
      some.map(thereOf).forEach(take);
      if (isMany()) return undefined;
    }
  }
  return isMany() ? undefined : all.sort((one, other) => compare(one.key, other.key));
}

/** Those of some keys that are there. */
export async function present(keys: readonly Key[]): Promise<Key[]> {
  const found: Key[] = [];
  await atOnce(MOST_AT_ONCE, keys, async (key) => { if (await isThere(key)) found.push(key); });
  return found.sort(compare);
}

/** Rows of a list as they are in a file: all at one revision, keys before levels. */
export async function exportedRows(rows: readonly Row[], take: (keys: Exported[]) => void): Promise<number> {
  const lifetimes = new Lifetimes();
  const [first] = rows;
  if (!first) return 0;
  const rev = await revisionAt(first.key, first.kind === "level");
  const keys = rows.filter(({ kind }) => kind === "key");
  const read = new Map<Key, KeyValue>();
  await atOnce(MOST_AT_ONCE, keys, async ({ key }) => {
    const { bytes, createRevision, modRevision, version, lease } = await get(key, true, rev);
    read.set(key, { ...named(key), ...valued(bytes), create_revision: createRevision, mod_revision: modRevision, version, ...(lease !== undefined && { lease }) });
  });
  take(await lifetimes.of(keys.flatMap(({ key }) => read.get(key) ?? [])));
  for (const { key } of rows.filter(({ kind }) => kind === "level")) {
    for await (const some of keysBelow(key, rev)) take(await lifetimes.of(some));
  }
  return lifetimes.unknown;
}

function named(key: Key): { key: string } | { key_b64: string } {
  const bytes = toBytes(key);
  const text = textOf(bytes);
  return text === undefined ? { key_b64: base64OfBytes(bytes) } : { key: text };
}

function valued(bytes: Uint8Array): { value: string } | { value_b64: string } {
  const text = textOf(bytes);
  return text === undefined ? { value_b64: base64OfBytes(bytes) } : { value: text };
}

export type Exported = KeyValue & Partial<Told>;

const MOST_AT_ONCE = 8;

/** Times to live of leases, each asked for once. */
class Lifetimes {
  readonly #known = new Map<string, Told | undefined>();

  async of(keys: readonly KeyValue[]): Promise<Exported[]> {
    const fresh = new Set(keys.flatMap(({ lease }) => (lease === undefined || this.#known.has(lease) ? [] : [lease])));
    await atOnce(MOST_AT_ONCE, [...fresh], async (id) => void this.#known.set(id, await this.#ask(id)));
    return keys.map((kv) => ({ ...kv, ...(kv.lease !== undefined && this.#known.get(kv.lease)) }));
  }

  /** Nothing where the lease has ended meanwhile, or the user may not see it. */
  async #ask(id: string): Promise<Told | undefined> {
    try {
      const { ttl, granted } = await leaseOf(id);
      return ttl < 0 || granted <= 0 ? undefined : { lease_ttl: String(ttl), lease_granted_ttl: String(granted) };
    } catch (error) {
      if (error instanceof Problem && (error.status === 403 || error.status === 404)) return undefined;
      throw error;
    }
  }

  /** Leases of which nothing can be told. */
  get unknown(): number {
    return [...this.#known.values()].filter((told) => told === undefined).length;
  }
}

/** All keys below a prefix with the times to live of their leases, given to `take` as they come. Tells of how many leases nothing is known. */
export async function exported(prefix: Key, take: (keys: Exported[]) => void): Promise<number> {
  const lifetimes = new Lifetimes();
  for await (const some of keysBelow(prefix)) take(await lifetimes.of(some));
  return lifetimes.unknown;
}
