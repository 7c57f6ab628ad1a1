// What is at a level of keys, as a list of rows; and what a change of a key does to it.
import { type Key, SLASH, compare } from "./keys";

export interface KeyRow {
  kind: "key";
  key: Key;
  size: number;
  createRevision: string;
  modRevision: string;
  version: string;
  lease?: string | undefined;
}

/** Keys further down. */
export interface LevelRow {
  kind: "level";
  key: Key;
  count?: number | undefined;
}

export type Row = KeyRow | LevelRow;

export interface Change {
  key: Key;
  /** Nothing if it has been removed. */
  put?: KeyRow | undefined;
}

/** The two in one order. */
export function merged(keys: readonly KeyRow[], levels: readonly LevelRow[]): Row[] {
  return [...keys, ...levels].sort((one, other) => compare(one.key, other.key));
}

/** The row that a key is in, at the level of a prefix; its own where nothing makes levels. */
export function rowKey(prefix: Key, key: Key, by: Key = SLASH): Key {
  const at = by === "" ? -1 : key.indexOf(by, prefix.length);
  return at < 0 ? key : key.slice(0, at + by.length);
}

/**
 * The rows after a change. What is behind the last row is not known yet unless the list is whole, and is left to the page that it
 * will come with.
 */
export function after(rows: readonly Row[], prefix: Key, change: Change, isWhole: boolean, by: Key = SLASH): readonly Row[] {
  if (!change.key.startsWith(prefix)) return rows;
  const key = rowKey(prefix, change.key, by);
  return replaced(rows, key, (there) => (key === change.key ? change.put : counted(there, key, moreOf(change))), isWhole);
}

/** The rows with another one, or none, in the place of a key. */
export function replaced(rows: readonly Row[], key: Key, by: (there: Row | undefined) => Row | undefined, isWhole: boolean): readonly Row[] {
  const at = place(rows, key);
  const there = rows[at]?.key === key ? rows[at] : undefined;
  if (!there && at === rows.length && !isWhole) return rows;
  const row = by(there);
  return [...rows.slice(0, at), ...(row ? [row] : []), ...rows.slice(there ? at + 1 : at)];
}

/** By how many a change makes the keys of its level more. */
export function moreOf({ put }: Change): number {
  const isNew = put !== undefined && put.createRevision === put.modRevision;
  return put === undefined ? -1 : isNew ? 1 : 0;
}

/** A level with so many keys more. */
export function counted(there: Row | undefined, key: Key, more: number): LevelRow | undefined {
  const count = there?.kind === "level" ? there.count : 0;
  if (count === undefined) return { kind: "level", key };
  const now = count + more;
  return now > 0 ? { kind: "level", key, count: now } : undefined;
}

/** Where a key is in the list, or would be. */
function place(rows: readonly Row[], key: Key): number {
  let [from, to] = [0, rows.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    const row = rows[middle];
    if (row && compare(row.key, key) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

export interface RowPage {
  rows: readonly Row[];
  next?: string | undefined;
}

/** The pages of a list after a change, each the same object if nothing in it is different. */
export function pagesAfter<P extends RowPage>(pages: readonly P[], prefix: Key, change: Change, by: Key = SLASH): P[] {
  const key = rowKey(prefix, change.key, by);
  const found = pages.findIndex(({ rows }) => rows.length > 0 && compare(rows.at(-1)?.key ?? "", key) >= 0);
  const at = found < 0 ? pages.length - 1 : found;
  return pages.map((page, index) => {
    if (index !== at) return page;
    const rows = after(page.rows, prefix, change, page.next === undefined, by);
    return rows === page.rows ? page : { ...page, rows };
  });
}
