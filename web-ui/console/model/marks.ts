// What somebody has chosen in a list of rows, and what may be done with it at once.
import type { Key } from "./keys";
import { base64OfBytes, toBytes } from "./keys";
import type { Row } from "./rows";
import { type Draft, MOST_OPERATIONS, type Batch } from "./transfer";

export type Marks = ReadonlySet<Key>;

/** With one more, or without the one that there was. */
export function toggled(marks: Marks, key: Key): Marks {
  const now = new Set(marks);
  if (!now.delete(key)) now.add(key);
  return now;
}

/** With all from one row to another, in either direction. */
export function extended(marks: Marks, rows: readonly Row[], from: number, to: number): Marks {
  const [first, last] = [Math.max(0, Math.min(from, to)), Math.max(from, to)];
  return new Set([...marks, ...rows.slice(first, last + 1).map(({ key }) => key)]);
}

/** Rows that are marked and still there. */
export function chosenOf(rows: readonly Row[], marks: Marks): Row[] {
  return marks.size === 0 ? [] : rows.filter(({ key }) => marks.has(key));
}

export interface Sum {
  keys: number;
  levels: number;
  /** Keys below the levels, as far as that is known. */
  below: number;
}

export function sumOf(rows: readonly Row[]): Sum {
  const sum: Sum = { keys: 0, levels: 0, below: 0 };
  for (const row of rows) {
    if (row.kind === "key") sum.keys += 1;
    else {
      sum.levels += 1;
      sum.below += row.count ?? 0;
    }
  }
  return sum;
}

/** Keys go if each is as it was seen; levels go whole, whatever is in them by then. */
export function removals(rows: readonly Row[], mostOperations = MOST_OPERATIONS): Draft[] {
  const drafts: Draft[] = [];
  for (let from = 0; from < rows.length; from += mostOperations) {
    const batch: Batch = { if: [], operations: [] };
    for (const row of rows.slice(from, from + mostOperations)) {
      const name = base64OfBytes(toBytes(row.key));
      if (row.kind === "key") {
        batch.if.push({ key_b64: name, mod_revision: row.modRevision });
        batch.operations.push({ delete: { key_b64: name } });
      } else batch.operations.push({ delete: { prefix_b64: name } });
    }
    drafts.push({ batch, bound: [] });
  }
  return drafts;
}
