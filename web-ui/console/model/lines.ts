// Lines behind locks and elections, found among keys: whoever stands in one has a key below its name that is called as his lease
// is in hexadecimal. And how long somebody has stood there, by when the store had which revision.
import type { Key } from "./keys";

export interface Standing {
  key: Key;
  lease?: string | undefined;
}

export interface Line {
  name: Key;
  count: number;
}

/** The name of the line that a key stands in; nothing where it stands in none. */
export function lineOf({ key, lease }: Standing): Key | undefined {
  if (lease === undefined) return undefined;
  const slash = key.lastIndexOf("/");
  return slash > 0 && key.slice(slash + 1) === BigInt(lease).toString(16) ? key.slice(0, slash) : undefined;
}

export function linesOf(all: readonly Standing[]): Line[] {
  const found = new Map<Key, number>();
  for (const standing of all) {
    const name = lineOf(standing);
    if (name !== undefined) found.set(name, (found.get(name) ?? 0) + 1);
  }
  return [...found].map(([name, count]) => ({ name, count }));
}

/** The store at a time, in milliseconds. */
export interface Sample {
  time: number;
  revision: bigint;
}

export interface Age {
  seconds: number;
  /** It is older than what is known. */
  isMore: boolean;
}

/** How long ago a revision came to be: at the first sample that has it, as exact as samples are apart. */
export function ageOf(samples: readonly Sample[], revision: bigint, now: number): Age | undefined {
  const at = samples.findIndex((sample) => sample.revision >= revision);
  const sample = samples[at];
  if (!sample) return samples.length > 0 ? { seconds: 0, isMore: false } : undefined;
  return { seconds: Math.max(0, (now - sample.time) / 1_000), isMore: at === 0 };
}
