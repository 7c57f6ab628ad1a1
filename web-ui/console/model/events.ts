// What a stream of changes has told, newest last, within bounds: what does not fit is dropped, the oldest first, and counted.
import type { Key } from "./keys";

export interface Change {
  kind: "put" | "delete";
  key: Key;
  revision: string;
  id: string;
  /** The event as it came. */
  data: unknown;
  /** About how much memory it takes. */
  size: number;
}

/** Where the stream has a seam: changes may be missing before it, or are for sure. */
export interface Gap {
  kind: "resumed" | "compacted" | "ahead" | "failed";
  text: string;
}

export type Entry = (Change | Gap) & { at: number; number: number };

export interface Log {
  entries: readonly Entry[];
  /** Changes that came, since the beginning. */
  seen: number;
  /** Changes that came and are kept no more. */
  dropped: number;
  size: number;
}

export const MOST_ENTRIES = 5_000;
export const MOST_BYTES = 16 * 1024 * 1024;

export const EMPTY: Log = { entries: [], seen: 0, dropped: 0, size: 0 };

export function isChange(entry: Entry): entry is Change & { at: number; number: number } {
  return entry.kind === "put" || entry.kind === "delete";
}

/** The log with more in it. */
export function added(log: Log, more: readonly Entry[], mostEntries = MOST_ENTRIES, mostBytes = MOST_BYTES): Log {
  if (more.length === 0) return log;
  let size = log.size + total(more);
  let dropped = 0;
  const all = [...log.entries, ...more];
  let from = Math.max(0, all.length - mostEntries);
  for (const entry of all.slice(0, from)) size -= sizeOf(entry);
  // The newest one stays, however large it is.
  for (; size > mostBytes && from < all.length - 1; from += 1) size -= sizeOf(all[from]);
  for (const entry of all.slice(0, from)) if (isChange(entry)) dropped += 1;
  return { entries: all.slice(from), seen: log.seen + more.filter(isChange).length, dropped: log.dropped + dropped, size };
}

function sizeOf(entry: Entry | undefined): number {
  return entry && isChange(entry) ? entry.size : 0;
}

function total(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
}

/** As lines of JSON, the oldest first: what `watch` answers with `Accept: application/x-ndjson`, seams and all. */
export function ndjson(entries: readonly Entry[]): string {
  const lines = entries.map((entry) =>
    isChange(entry) ? JSON.stringify({ id: entry.id, event: entry.kind, data: entry.data }) : JSON.stringify({ event: entry.kind, data: { detail: entry.text } }),
  );
  return lines.map((line) => `${line}\n`).join("");
}
