// A subtree in a file: read, compared with what is there, and written in batches that are done only if nothing has changed since.
import { type Key, base64OfBytes, bytesOfBase64, compare, ofNamed, show, toBytes } from "./keys";
import { type Lifetime, lifetimeOf } from "./lifetimes";

export interface Entry {
  key: Key;
  value: Uint8Array;
  /** That of its lease, if the file tells it. */
  lifetime?: Lifetime;
}

export interface There {
  key: Key;
  value: Uint8Array;
  modRevision: string;
  lease?: string | undefined;
}

export interface Change {
  kind: "create" | "change" | "delete";
  key: Key;
  before?: Uint8Array;
  after?: Uint8Array;
  /** What its last change has to be. */
  modRevision?: string;
  /** It is bound to a lease that is granted for it. */
  lifetime?: Lifetime;
}

export interface Plan {
  changes: Change[];
  same: number;
  /** Keys that are there and not in the file, and stay. */
  kept: number;
}

interface Raw {
  key?: unknown;
  key_b64?: unknown;
  value?: unknown;
  value_b64?: unknown;
}

/** The keys of a file: lines of JSON, a list, or what a list of keys is answered with. Throws what is wrong with it. */
export function parse(text: string): Entry[] {
  return entriesOf(documents(text));
}

/** The keys of what a file says, each with where it stands. */
export function entriesOf(documents: readonly (readonly [at: string, raw: unknown])[]): Entry[] {
  const found = new Map<Key, Entry>();
  for (const [at, raw] of documents) {
    const entry = entryOf(raw, at);
    if (!entry) continue;
    if (found.has(entry.key)) throw new Error(`${at}: ${show(entry.key)} is in the file twice`);
    found.set(entry.key, entry);
  }
  return [...found.values()];
}

function documents(text: string): [string, unknown][] {
  const whole = wholeOf(text);
  if (whole) return whole.map((raw, at) => [`Key ${at + 1}`, raw]);
  return text.split("\n").flatMap((line, at): [string, unknown][] => {
    if (line.trim() === "") return [];
    try {
      return [[`Line ${at + 1}`, JSON.parse(line)]];
    } catch {
      throw new Error(`Line ${at + 1} is no JSON`);
    }
  });
}

/** The keys where the file is one document. */
function wholeOf(text: string): unknown[] | undefined {
  const first = text.trimStart()[0];
  if (first !== "[" && first !== "{") return undefined;
  try {
    const told = JSON.parse(text) as unknown;
    if (Array.isArray(told)) return told as unknown[];
    const { keys } = told as { keys?: unknown };
    return Array.isArray(keys) ? (keys as unknown[]) : [told];
  } catch {
    return undefined;
  }
}

function entryOf(raw: unknown, at: string): Entry | undefined {
  if (typeof raw !== "object" || raw === null) throw new Error(`${at} is no key`);
  const { key, key_b64, value, value_b64 } = raw as Raw;
  if ("status" in raw && "type" in raw) throw new Error(`${at} says that the export failed: the file is not whole`);
  // A level of a list has no key.
  if (key === undefined && key_b64 === undefined && "prefix" in raw) return undefined;
  const isKey = typeof key === "string" || typeof key_b64 === "string";
  const isValue = typeof value === "string" || typeof value_b64 === "string";
  if (!isKey || !isValue) throw new Error(`${at} has no ${isKey ? "value" : "key"}`);
  try {
    const bytes = typeof value_b64 === "string" ? bytesOfBase64(value_b64) : new TextEncoder().encode(String(value));
    return { key: ofNamed(typeof key_b64 === "string" ? { key_b64 } : { key: String(key) }), value: bytes, ...livesAs(raw, at) };
  } catch (error) {
    throw error instanceof Error && error.message.startsWith(at) ? error : new Error(`${at} is no base64`);
  }
}

function livesAs(raw: object, at: string): { lifetime?: Lifetime } {
  const lifetime = lifetimeOf(raw, at);
  return lifetime ? { lifetime } : {};
}

/** The level that all of them are below. */
export function scopeOf(entries: readonly Entry[]): Key {
  const [first = "", ...rest] = entries.map(({ key }) => key.slice(0, key.lastIndexOf("/") + 1));
  let scope = first;
  for (const each of rest) while (!each.startsWith(scope)) scope = scope.slice(0, scope.slice(0, -1).lastIndexOf("/") + 1);
  return scope;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** What makes of what is there what is in the file; with `lives`, keys that have no lease get one like that in the file. */
export function planOf(entries: readonly Entry[], there: readonly There[], removes: boolean, lives = false): Plan {
  const known = new Map(there.map((each) => [each.key, each]));
  const plan: Plan = { changes: [], same: 0, kept: 0 };
  for (const { key, value, lifetime } of entries) {
    const before = known.get(key);
    known.delete(key);
    // A lease that the key has stays its own.
    const bound = lives && lifetime && before?.lease === undefined ? { lifetime } : {};
    if (!before) plan.changes.push({ kind: "create", key, after: value, ...bound });
    else if (isSame(before.value, value) && !("lifetime" in bound)) plan.same += 1;
    else plan.changes.push({ kind: "change", key, before: before.value, after: value, modRevision: before.modRevision, ...bound });
  }
  if (!removes) plan.kept = known.size;
  else for (const { key, value, modRevision } of known.values()) plan.changes.push({ kind: "delete", key, before: value, modRevision });
  plan.changes.sort((one, other) => compare(one.key, other.key));
  return plan;
}

interface NamedB64 {
  key_b64: string;
}
type Guard = NamedB64 & ({ exists: false } | { mod_revision: string });
type Put = NamedB64 & { value_b64: string; keep_lease?: true; lease?: string };
type Operation = { put: Put } | { delete: NamedB64 | { prefix_b64: string } };

export interface Batch {
  if: Guard[];
  operations: Operation[];
}

/** A batch, and what is put with a lease: it is known when the lease is granted. */
export interface Draft {
  batch: Batch;
  bound: { put: Put; lifetime: Lifetime }[];
}

export const MOST_OPERATIONS = 500;
export const MOST_BYTES = 512 * 1024;

/** The changes as batches, each of which is done if all its keys are as they were, and otherwise not at all. */
export function batches(changes: readonly Change[], mostOperations = MOST_OPERATIONS, mostBytes = MOST_BYTES): Draft[] {
  const all: Draft[] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const change of changes) {
    const key_b64 = base64OfBytes(toBytes(change.key));
    const own = key_b64.length * 2 + (change.after?.length ?? 0);
    if (size + own > mostBytes || (all.at(-1)?.batch.operations.length ?? 0) >= mostOperations) {
      all.push({ batch: { if: [], operations: [] }, bound: [] });
      size = 0;
    }
    size += own;
    const draft = all.at(-1);
    draft?.batch.if.push(change.modRevision === undefined ? { key_b64, exists: false } : { key_b64, mod_revision: change.modRevision });
    const put: Put = { key_b64, value_b64: base64OfBytes(change.after ?? new Uint8Array()) };
    const { kind, lifetime } = change;
    if (kind === "change" && !lifetime) put.keep_lease = true;
    if (lifetime) draft?.bound.push({ put, lifetime });
    draft?.batch.operations.push(kind === "delete" ? { delete: { key_b64 } } : { put });
  }
  return all;
}
