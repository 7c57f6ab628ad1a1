// Keys and levels that somebody wants to come back to, or was at of late. Both lists have an end.
import type { Key } from "./keys";

export interface Visited {
  key: Key;
  /** Its address in the console. */
  at: string;
}

export interface Kept {
  bookmarks: readonly Visited[];
  recent: readonly Visited[];
}

export const MOST_BOOKMARKS = 50;
export const MOST_RECENT = 12;
/** Longer ones are not kept: a browser gives a page little room. */
const MOST_LETTERS = 4_000;

const PLACE = "#/keys/";

/** What a browser has kept, whatever has become of it. */
export function read(text: string | null): Kept {
  try {
    const told = JSON.parse(text ?? "{}") as Partial<Record<keyof Kept, unknown>> | null;
    return { bookmarks: visited(told?.bookmarks).slice(0, MOST_BOOKMARKS), recent: visited(told?.recent).slice(0, MOST_RECENT) };
  } catch {
    return { bookmarks: [], recent: [] };
  }
}

function visited(told: unknown): Visited[] {
  const all: unknown[] = Array.isArray(told) ? told : [];
  return all.flatMap((each) => {
    const { key, at } = (each ?? {}) as Partial<Record<keyof Visited, unknown>>;
    return typeof key === "string" && typeof at === "string" && at.startsWith(PLACE) ? [{ key, at }] : [];
  });
}

/** With one more at the front, and none twice. */
export function opened(kept: Kept, place: Visited): Kept {
  if (place.at.length > MOST_LETTERS || kept.recent[0]?.at === place.at) return kept;
  return { ...kept, recent: [place, ...without(kept.recent, place.at)].slice(0, MOST_RECENT) };
}

/** A bookmark more or, if there is one, none. The same where there is no room. */
export function switched(kept: Kept, place: Visited): Kept {
  if (isMarked(kept, place.at)) return { ...kept, bookmarks: without(kept.bookmarks, place.at) };
  if (place.at.length > MOST_LETTERS || kept.bookmarks.length >= MOST_BOOKMARKS) return kept;
  return { ...kept, bookmarks: [...kept.bookmarks, place] };
}

export function isMarked(kept: Kept, at: string): boolean {
  return kept.bookmarks.some((each) => each.at === at);
}

function without(all: readonly Visited[], at: string): Visited[] {
  return all.filter((each) => each.at !== at);
}
