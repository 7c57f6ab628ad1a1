// Changes of rows that are not loaded yet: what they come to, one for each row, until the page comes that the row is in.
import { type Key, SLASH, compare } from "./keys";
import { type Change, type KeyRow, type RowPage, counted, moreOf, replaced, rowKey } from "./rows";

type Folded = { put: KeyRow | undefined } | { more: number };

export class Later {
  readonly #rows = new Map<Key, Folded>();

  constructor(readonly prefix: Key, readonly by: Key = SLASH) {}

  get size(): number {
    return this.#rows.size;
  }

  /** Keeps a change, if it is of a row behind that of a key. */
  add(change: Change, behind: Key | undefined): void {
    if (!change.key.startsWith(this.prefix)) return;
    const key = rowKey(this.prefix, change.key, this.by);
    if (behind !== undefined && compare(key, behind) <= 0) return;
    const before = this.#rows.get(key);
    if (key === change.key) this.#rows.set(key, { put: change.put });
    else this.#rows.set(key, { more: (before && "more" in before ? before.more : 0) + moreOf(change) });
  }

  /** The page that has come, as it is after them. What is in it is loaded, and kept no longer. */
  appliedTo<P extends RowPage>(page: P): P {
    const [isWhole, last] = [page.next === undefined, page.rows.at(-1)?.key];
    let { rows } = page;
    for (const [key, folded] of this.#rows) {
      if (!isWhole && (last === undefined || compare(key, last) > 0)) continue;
      rows = replaced(rows, key, (there) => ("put" in folded ? folded.put : counted(there, key, folded.more)), isWhole);
      this.#rows.delete(key);
    }
    return rows === page.rows ? page : { ...page, rows };
  }
}
