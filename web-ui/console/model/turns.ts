// Whose turn it is: of pages that share something scarce, those that were used last have it.

export type Said = { kind: "used"; id: string; at: number } | { kind: "gone"; id: string } | { kind: "asks" };

export class Turns {
  #at = Number.NEGATIVE_INFINITY;
  /** Pages that were used after this one. */
  readonly #later = new Map<string, number>();
  /** Those of them that have not answered yet whether they are still there. */
  #asked = new Set<string>();

  constructor(
    readonly id: string,
    /** So many have it at the same time. */
    readonly most: number,
  ) {}

  /** This page is used now. Tells what others have to hear; nothing if they know. */
  used(at: number): Said | undefined {
    if (this.#at > Number.NEGATIVE_INFINITY && this.#later.size === 0) return undefined;
    // Clocks of pages are one clock, but not always a steady one.
    this.#at = Math.max(at, ...[...this.#later.values()].map((later) => later + 1));
    this.#later.clear();
    return { kind: "used", id: this.id, at: this.#at };
  }

  /** It is not there, or not seen: its turn is over, until it is used again. */
  gone(): Said {
    this.#at = Number.NEGATIVE_INFINITY;
    return { kind: "gone", id: this.id };
  }

  /** Asks who is still there. Whoever has not said so since it was asked the last time has died without a word. */
  asks(): Said {
    for (const id of this.#asked) this.#later.delete(id);
    this.#asked = new Set(this.#later.keys());
    return { kind: "asks" };
  }

  /** What another page says; tells what is to be answered. */
  heard(said: Said): Said | undefined {
    if (said.kind === "asks") return this.#at > Number.NEGATIVE_INFINITY ? { kind: "used", id: this.id, at: this.#at } : undefined;
    this.#asked.delete(said.id);
    this.#later.delete(said.id);
    // Of two that were used at the same time both come to the same end.
    if (said.kind === "used" && (said.at > this.#at || (said.at === this.#at && said.id > this.id))) this.#later.set(said.id, said.at);
    return undefined;
  }

  get isMine(): boolean {
    return this.#later.size < this.most;
  }
}
