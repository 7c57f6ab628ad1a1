// Whose turn it is: of pages that share something scarce, those that were used last have it.

export type Said = { kind: "used"; id: string; at: number } | { kind: "gone"; id: string };

export class Turns {
  #at = Number.NEGATIVE_INFINITY;
  /** Pages that were used after this one. */
  readonly #later = new Map<string, number>();

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

  heard(said: Said): void {
    this.#later.delete(said.id);
    // Of two that were used at the same time both come to the same end.
    if (said.kind === "used" && (said.at > this.#at || (said.at === this.#at && said.id > this.id))) this.#later.set(said.id, said.at);
  }

  get isMine(): boolean {
    return this.#later.size < this.most;
  }
}
