// Keys, as the API has them, in the words of the console.
import type { Key } from "../model/keys";
import { SLASH, base64, bytesOfBase64, ofNamed, textOf, toBytes } from "../model/keys";
import type { KeyRow, Row } from "../model/rows";
import { merged } from "../model/rows";
import { address } from "./base";
import { call, send } from "./client";
import type { components } from "./generated/schema";
import { Problem } from "./problem";

type Schemas = components["schemas"];

export interface Page {
  rows: Row[];
  revision: string;
  next?: string | undefined;
}

export interface Value {
  bytes: Uint8Array;
  /** Of all of it: `bytes` may be its beginning. */
  size: number;
  createRevision: string;
  modRevision: string;
  version: string;
  lease?: string | undefined;
}

export interface Version {
  modRevision: string;
  version?: string | undefined;
  lease?: string | undefined;
  /** Nothing where the key was removed. */
  bytes?: Uint8Array | undefined;
}

export interface History {
  versions: Version[];
  compactRevision: string;
  before?: string | undefined;
}

export interface Search {
  text: string;
  regex: boolean;
  in: "keys" | "values" | "both";
}

/** How much of a value is shown before somebody asks for all of it. */
export const FIRST_BYTES = 64 * 1024;
const PAGE = 1_000;

export function rowOf(key: Schemas["KeyValue"]): KeyRow {
  const value = key.value_b64 === undefined ? new TextEncoder().encode(key.value ?? "") : bytesOfBase64(key.value_b64);
  return {
    kind: "key",
    key: ofNamed(key),
    size: key.size === undefined ? value.length : Number(key.size),
    createRevision: key.create_revision,
    modRevision: key.mod_revision,
    version: key.version,
    lease: key.lease,
  };
}

/** A page of the level of a prefix, or of what a search below it finds. */
export async function list(prefix: Key, search: Search | undefined, after: string | undefined, signal?: AbortSignal, by: Key = SLASH): Promise<Page> {
  const found = search && { [search.regex ? "regex" : "search"]: search.text, in: search.in };
  const apart = by === "" ? { recursive: true } : { counts: true, ...(by !== SLASH && { separator: textOf(toBytes(by)) }) };
  const level = search ? {} : apart;
  const query = { prefix_b64: base64(prefix), keys_only: true, limit: PAGE, after, ...level, ...found };
  const page = await call("get", "/v3/keys", { query, signal });
  const levels = page.prefixes.map((level) => ({
    kind: "level" as const,
    key: ofNamed({ key: level.prefix, key_b64: level.prefix_b64 }),
    count: level.count === undefined ? undefined : Number(level.count),
  }));
  return { rows: merged(page.keys.map(rowOf), levels), revision: page.revision, next: page.next };
}

/** Keys and levels that begin with some text, so many of them at most: a help while somebody types. */
export async function begin(prefix: Key, limit: number, signal?: AbortSignal): Promise<Key[]> {
  const { keys, prefixes } = await call("get", "/v3/keys", { query: { prefix_b64: base64(prefix), keys_only: true, limit }, signal, isHelp: true });
  return [...prefixes.map((level) => ofNamed({ key: level.prefix, key_b64: level.prefix_b64 })), ...keys.map(ofNamed)];
}

function at(key: Key, query: Record<string, string | number | undefined> = {}): URL {
  return address("v3/keys/", { key_b64: base64(key), ...query });
}

/** The value of a key, or its beginning. */
export async function get(key: Key, whole: boolean, rev?: string, signal?: AbortSignal): Promise<Value> {
  // Chromium asks for as much of a value as it has kept of the one before, and takes that for the answer: it is to keep none.
  const part: RequestInit = whole ? {} : { headers: { range: `bytes=0-${FIRST_BYTES - 1}` }, cache: "no-store" };
  const response = await send(at(key, { rev }), { ...part, ...(signal && { signal }) }).catch(async (error: unknown) => {
    // Of a value of no bytes there is no first one.
    if (error instanceof Error && "status" in error && error.status === 416) return send(at(key, { rev }));
    throw error;
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const told = (name: string): string => response.headers.get(name) ?? "";
  const all = /\/(\d+)$/.exec(told("content-range"))?.[1];
  return {
    bytes,
    size: all === undefined ? bytes.length : Number(all),
    createRevision: told("keyport-create-revision"),
    modRevision: told("keyport-mod-revision"),
    version: told("keyport-version"),
    lease: told("keyport-lease") || undefined,
  };
}

/** Whether there is such a key. */
export async function isThere(key: Key): Promise<boolean> {
  try {
    await send(at(key), { method: "HEAD" }, { byHand: false });
    return true;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return false;
    throw error;
  }
}

/** The revision of the store, asked for where one may read: at a key, or below a prefix. */
export async function revisionAt(key: Key, isPrefix: boolean): Promise<string> {
  if (isPrefix) return (await call("get", "/v3/keys", { query: { prefix_b64: base64(key), keys_only: true, limit: 1 } })).revision;
  const response = await send(at(key), { method: "HEAD" }, { byHand: false });
  return response.headers.get("keyport-revision") ?? "";
}

export interface Put {
  bytes: Uint8Array;
  /** What its last change has to be: `0` if the key is not to be there. Nothing writes whatever there is. */
  cas?: string | undefined;
  ttl?: string | undefined;
  lease?: string | undefined;
}

/** Writes a key, and tells the revision. */
export async function put(key: Key, { bytes, cas, ttl, lease }: Put): Promise<string> {
  const response = await send(at(key, { cas, ttl, lease }), { method: "PUT", body: bytes as BufferSource });
  return response.headers.get("keyport-revision") ?? "";
}

export async function remove(key: Key, cas?: string): Promise<void> {
  await send(at(key, { cas }), { method: "DELETE" });
}

export async function removeBelow(prefix: Key): Promise<string> {
  const query = prefix === "" ? { all: true } : { prefix_b64: base64(prefix) };
  const response = await send(address("v3/keys", query), { method: "DELETE" });
  return ((await response.json()) as Schemas["KeysDeleted"]).deleted;
}

export async function history(key: Key, before?: string, signal?: AbortSignal): Promise<History> {
  const response = await send(address("v3/history/", { key_b64: base64(key), before, limit: 50 }), signal ? { signal } : {});
  const told = (await response.json()) as Schemas["KeyHistory"];
  const versions = told.versions.map((version) => ({
    modRevision: version.mod_revision,
    version: version.version,
    lease: version.lease,
    bytes: version.deleted === true ? undefined : valueOf(version),
  }));
  return { versions, compactRevision: told.compact_revision, before: told.before };
}

function valueOf({ value, value_b64 }: { value?: string; value_b64?: string }): Uint8Array {
  return value_b64 === undefined ? new TextEncoder().encode(value ?? "") : bytesOfBase64(value_b64);
}

export interface Lease {
  id: string;
  ttl: number;
  granted: number;
}

export async function lease(id: string, signal?: AbortSignal): Promise<Lease> {
  const told = await call("get", "/v3/leases/{id}", { at: { id }, signal });
  return { id, ttl: Number(told.ttl), granted: Number(told.granted_ttl ?? 0) };
}
