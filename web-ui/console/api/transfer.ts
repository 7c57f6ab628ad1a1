// Subtrees out of the store and into it.
import { type Key, base64, bytesOfBase64, ofNamed } from "../model/keys";
import type { Told } from "../model/lifetimes";
import { atOnce } from "../model/pool";
import type { There } from "../model/transfer";
import { address } from "./base";
import { send } from "./client";
import type { components } from "./generated/schema";
import { lease as leaseOf } from "./keys";
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
async function* keysBelow(prefix: Key): AsyncGenerator<KeyValue[]> {
  const response = await send(address("v3/keys", { prefix_b64: base64(prefix), recursive: true }), { headers: { accept: "application/x-ndjson" } });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  const read = (line: string): KeyValue[] => {
    if (line === "") return [];
    const one = JSON.parse(line) as KeyValue & { status?: number; detail?: string };
    if (one.status !== undefined) throw new Error(one.detail ?? "The list broke off");
    return [one];
  };
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    const parts = (rest + part.value).split("\n");
    rest = parts.pop() ?? "";
    yield parts.flatMap(read);
  }
  yield read(rest);
}

/** What is below a prefix now. */
export async function there(prefix: Key, told: (count: number) => void): Promise<There[]> {
  const all: There[] = [];
  for await (const some of keysBelow(prefix)) {
    for (const kv of some) {
      const value = kv.value_b64 === undefined ? new TextEncoder().encode(kv.value ?? "") : bytesOfBase64(kv.value_b64);
      all.push({ key: ofNamed(kv), value, modRevision: kv.mod_revision, lease: kv.lease });
    }
    told(all.length);
  }
  return all;
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
