// In which form two changes of a value can be put together: line by line, or one of them whole.
import { MOST_BYTES_LAID_OUT, kindOf, laidOut } from "./kind";
import { textOf } from "./keys";

/** Values beyond it are not merged. */
export const MOST_BYTES_MERGED = MOST_BYTES_LAID_OUT;

export interface Sides {
  base: string;
  theirs: string;
  mine: string;
}

export type Form =
  | { kind: "gone" | "large" | "bytes" }
  | {
    kind: "text";
    asItIs: Sides;
    /** In lines, where all are JSON and some of it is on a single one: what is saved then is in lines, too. */
    laidOut: Sides | undefined;
    isJson: boolean;
  };

export function formOf(base: Uint8Array, theirs: Uint8Array | undefined, mine: Uint8Array): Form {
  if (theirs === undefined) return { kind: "gone" };
  const all = [base, theirs, mine];
  if (all.some(({ length }) => length > MOST_BYTES_MERGED)) return { kind: "large" };
  const kinds = all.map(kindOf);
  if (kinds.some((kind) => kind === "binary" || kind === "kubernetes")) return { kind: "bytes" };
  const texts = all.map((bytes) => textOf(bytes) ?? "");
  const isJson = kinds.every((kind) => kind === "json");
  const isOneLine = texts.some((text) => !text.trim().includes("\n"));
  return { kind: "text", asItIs: sides(texts), laidOut: isJson && isOneLine ? sides(texts.map(laidOut)) : undefined, isJson };
}

function sides([base = "", theirs = "", mine = ""]: readonly string[]): Sides {
  return { base, theirs, mine };
}
