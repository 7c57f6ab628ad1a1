// What is different between two lists of keys, both in the order of the store: walked through side by side, a page of each at a time.
import { type Key, compare } from "./keys";
import type { KeyRow } from "./rows";

export interface Difference {
  kind: "added" | "changed" | "deleted";
  key: Key;
  before?: KeyRow | undefined;
  after?: KeyRow | undefined;
}

export interface Step {
  found: Difference[];
  /** Keys that were looked at since the step before. */
  seen: number;
}

export type Pages = AsyncIterator<readonly KeyRow[], unknown, undefined>;

/** One of the two lists, as far as it is there. */
class Side {
  #rows: readonly KeyRow[] = [];
  #at = 0;
  #isOver = false;

  constructor(readonly pages: Pages) {}

  /** The row that it is at; nothing behind the last one. */
  get row(): KeyRow | undefined {
    return this.#rows[this.#at];
  }

  get isWanting(): boolean {
    return this.row === undefined && !this.#isOver;
  }

  async fill(): Promise<void> {
    while (this.isWanting) {
      const page = await this.pages.next();
      if (page.done === true) this.#isOver = true;
      else [this.#rows, this.#at] = [page.value, 0];
    }
  }

  step(): void {
    this.#at += 1;
  }
}

/** What is different, in steps of `most` and less. */
export async function* differences(before: Pages, after: Pages, most: number): AsyncGenerator<Step, void> {
  const [old, now] = [new Side(before), new Side(after)];
  let step: Step = { found: [], seen: 0 };
  for (;;) {
    if (old.isWanting || now.isWanting) {
      if (step.seen > 0) yield step;
      step = { found: [], seen: 0 };
      await Promise.all([old.fill(), now.fill()]);
    }
    if (!old.row && !now.row) break;
    const one = next(old, now);
    step.seen += 1;
    if (one) step.found.push(one);
    if (step.found.length >= most) {
      yield step;
      step = { found: [], seen: 0 };
    }
  }
  if (step.seen > 0) yield step;
}

/** What the next key has become, if it is not what it was. */
function next(old: Side, now: Side): Difference | undefined {
  const [before, after] = [old.row, now.row];
  const order = !before ? 1 : !after ? -1 : before.key === after.key ? 0 : compare(before.key, after.key);
  if (order <= 0) old.step();
  if (order >= 0) now.step();
  if (before && order < 0) return { kind: "deleted", key: before.key, before };
  if (after && order > 0) return { kind: "added", key: after.key, after };
  // Each write of a key is a revision of its own.
  return before && after && before.modRevision !== after.modRevision ? { kind: "changed", key: after.key, before, after } : undefined;
}
