// A file into the store, batch by batch. Leases are granted just before the batch that refers to them: they can be no part of it.
import { atOnce } from "../model/pool";
import type { Draft } from "../model/transfer";
import { address } from "./base";
import { send } from "./client";
import { grant, keepAlive, revoke } from "./leases";
import { Problem } from "./problem";

const MOST_AT_ONCE = 8;

/** Where it ended before its end. */
export class Broken extends Error {
  constructor(
    /** Batches that were written. */
    readonly done: number,
    override readonly cause: unknown,
    readonly leases: { revoked: number; left: number },
    /** Nobody knows whether the next batch was written. */
    readonly isOpen: boolean,
  ) {
    super(cause instanceof Error ? cause.message : String(cause));
    this.name = "Broken";
  }
}

/** Writes batches one after the other, down to the first that is refused, and tells how many there are so far. */
export async function apply(drafts: readonly Draft[], told: (done: number) => void): Promise<void> {
  /** Ids of leases that there are, by those in the file. */
  const granted = new Map<string, string>();
  for (const [at, { batch, bound }] of drafts.entries()) {
    const fresh: string[] = [];
    let isSent = false;
    try {
      const lifetimes = new Map(bound.map(({ lifetime }) => [lifetime.id, lifetime]));
      await atOnce(MOST_AT_ONCE, [...lifetimes.values()], async (lifetime) => {
        const known = granted.get(lifetime.id);
        if (known !== undefined) {
          await keepAlive(known);
          return;
        }
        const own = await grant(String(lifetime.granted), undefined);
        fresh.push(own);
        granted.set(lifetime.id, own);
      });
      for (const { put, lifetime } of bound) {
        const lease = granted.get(lifetime.id);
        if (lease !== undefined) put.lease = lease;
      }
      isSent = true;
      await send(address("v3/keys:batch"), { method: "POST", body: JSON.stringify(batch) });
    } catch (failure) {
      // Keys go with their lease: it is revoked only where it is sure that there are none.
      const isOpen = isSent && !(failure instanceof Problem && failure.status < 500);
      const left = isOpen ? fresh.length : await revoked(fresh);
      throw new Broken(at, failure, { revoked: fresh.length - left, left }, isOpen);
    }
    told(at + 1);
  }
}

/** Revokes leases, and tells how many of them stay all the same. */
async function revoked(ids: readonly string[]): Promise<number> {
  let left = 0;
  await atOnce(MOST_AT_ONCE, ids, (id) => revoke(id).catch(() => { left += 1; }));
  return left;
}
