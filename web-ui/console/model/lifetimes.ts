// Leases: in a file of keys, where an entry tells the time to live of its own and those that shared one say so by its id; and as they
// are typed.

export interface Lifetime {
  /** Of the lease that it had where the file was made; here it is only a name. */
  id: string;
  /** Seconds that it was granted for. */
  granted: number;
  /** Seconds that were left. */
  left: number | undefined;
}

/** As the fields of an entry in a file. */
export interface Told {
  lease_ttl: string;
  lease_granted_ttl: string;
}

/** No server grants more. */
const MOST_SECONDS = 9_000_000_000;

function secondsOf(raw: unknown, least: number): number | undefined {
  if (typeof raw !== "string" && typeof raw !== "number") return undefined;
  const seconds = /^\d{1,10}$/.test(String(raw)) ? Number(raw) : Number.NaN;
  return seconds >= least && seconds <= MOST_SECONDS ? seconds : undefined;
}

/** What an entry tells; nothing where it has no lease, or its file is of those that tell no more than that it had one. */
export function lifetimeOf(raw: object, at: string): Lifetime | undefined {
  const { lease, lease_ttl: left, lease_granted_ttl: granted } = raw as Record<string, unknown>;
  if (granted === undefined) return undefined;
  const seconds = secondsOf(granted, 1);
  if (seconds === undefined) throw new Error(`${at} has a time to live that is no number of seconds`);
  if (typeof lease !== "string" || lease === "") throw new Error(`${at} has a time to live, and no lease: its id says who shared it`);
  return { id: lease, granted: seconds, left: secondsOf(left, 0) };
}

/** Leases by their ids, each with how many of some entries share it. */
export function sharedBy(entries: Iterable<{ lifetime?: Lifetime | undefined }>): Map<string, Lifetime & { keys: number }> {
  const all = new Map<string, Lifetime & { keys: number }>();
  for (const { lifetime } of entries) {
    if (!lifetime) continue;
    const known = all.get(lifetime.id);
    if (known) known.keys += 1;
    else all.set(lifetime.id, { ...lifetime, keys: 1 });
  }
  return all;
}

/** The id of a lease as people write it, in decimal, as the API takes it; nothing where it is none. */
export function idOf(hex: string): string | undefined {
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(hex.trim())) return undefined;
  const value = BigInt(`0x${hex.trim().replace(/^0x/i, "")}`);
  return value > 0n && value < 1n << 63n ? value.toString() : undefined;
}
