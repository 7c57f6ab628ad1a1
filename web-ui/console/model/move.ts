// Keys that get another beginning: each is written under its new name and deleted under the old one in one batch, if nothing has
// changed meanwhile.
import { type Key, base64OfBytes, toBytes } from "./keys";
import { type Batch, type Draft, MOST_BYTES, type There } from "./transfer";

export interface Move extends There {
  to: Key;
}

/** Two operations each, of those that a batch takes. */
export const MOST_MOVES = 250;

/** Each with its new name: what it begins with is `from`, and will be `onto`. */
export function movesOf(there: readonly There[], from: Key, onto: Key): Move[] {
  return there.map((each) => ({ ...each, to: onto + each.key.slice(from.length) }));
}

/** New names that are those of keys which are moved, or kept, themselves. */
export function met(moves: readonly Move[]): Set<Key> {
  const own = new Set(moves.map(({ key }) => key));
  return new Set(moves.filter(({ to }) => own.has(to)).map(({ to }) => to));
}

/** As batches: a key is moved whole or not at all, and its lease goes with it. */
export function moveDrafts(moves: readonly Move[], keeps: boolean, mostMoves = MOST_MOVES, mostBytes = MOST_BYTES): Draft[] {
  const drafts: Draft[] = [];
  let [size, batch]: [number, Batch | undefined] = [0, undefined];
  for (const { key, to, value, modRevision, lease } of moves) {
    const [old, fresh] = [base64OfBytes(toBytes(key)), base64OfBytes(toBytes(to))];
    const own = 2 * (old.length + fresh.length) + value.length;
    if (!batch || size + own > mostBytes || batch.if.length / 2 >= mostMoves) {
      batch = { if: [], operations: [] };
      drafts.push({ batch, bound: [] });
      size = 0;
    }
    size += own;
    batch.if.push({ key_b64: old, mod_revision: modRevision }, { key_b64: fresh, exists: false });
    batch.operations.push({ put: { key_b64: fresh, value_b64: base64OfBytes(value), ...(lease !== undefined && { lease }) } });
    if (!keeps) batch.operations.push({ delete: { key_b64: old } });
  }
  return drafts;
}
