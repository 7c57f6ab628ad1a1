// Leases, as the API has them.
import { type Key, ofNamed } from "../model/keys";
import { call } from "./client";

export interface Lease {
  id: string;
  /** Seconds that are left; negative where it is gone. */
  ttl: number;
  granted: number;
  keys: Key[];
}

export async function ids(signal?: AbortSignal): Promise<string[]> {
  const { leases } = await call("get", "/v3/leases", { signal });
  return leases.map(({ id }) => id);
}

export async function one(id: string, signal?: AbortSignal): Promise<Lease> {
  const told = await call("get", "/v3/leases/{id}", { at: { id }, query: { keys: true }, signal });
  return { id, ttl: Number(told.ttl), granted: Number(told.granted_ttl ?? 0), keys: (told.keys ?? []).map(ofNamed) };
}

/** Grants one, and tells its id. */
export async function grant(ttl: string, id: string | undefined): Promise<string> {
  const body = id === undefined ? { ttl } : { ttl, id };
  return (await call("post", "/v3/leases", { body })).id;
}

export async function keepAlive(id: string): Promise<number> {
  return Number((await call("post", "/v3/leases/{id}/keepalive", { at: { id } })).ttl);
}

export async function revoke(id: string): Promise<void> {
  await call("delete", "/v3/leases/{id}", { at: { id } });
}
