// A line as a shell takes it: words, with quotes and escapes. A word is bytes, as keys and values are.
import { textOf } from "../keys";

export interface Word {
  bytes: Uint8Array;
  /** The same as text; what is none has a mark in its place. */
  text: string;
}

const ESCAPES: Record<string, number> = { n: 10, t: 9, r: 13, a: 7, b: 8, f: 12, v: 11, e: 27, "0": 0 };
const encoder = new TextEncoder();

/** The words of a line, or what is wrong with it. */
export function words(line: string): Word[] | string {
  const all: Word[] = [];
  let [at, open]: [number, number[] | undefined] = [0, undefined];
  const add = (text: string): void => { (open ??= []).push(...encoder.encode(text)); };
  while (at < line.length) {
    const char = String.fromCodePoint(line.codePointAt(at) ?? 0);
    at += char.length;
    if (/\s/.test(char)) {
      if (open) all.push(word(open));
      open = undefined;
    } else if (char === "'" || char === '"' || (char === "$" && line[at] === "'")) {
      const isEscaped = char === "$";
      const end = closing(line, isEscaped ? at + 1 : at, char === '"' ? '"' : "'", char !== "'");
      if (end === undefined) return `The quote ${isEscaped ? "$'" : char} is not closed`;
      const inner = line.slice(isEscaped ? at + 1 : at, end);
      open ??= [];
      if (char === "'") add(inner);
      else if (char === '"') add(inner.replace(/\\(["\\$`])/g, "$1"));
      else open.push(...escaped(inner));
      at = end + 1;
    } else if (char === "\\" && at < line.length) {
      const next = String.fromCodePoint(line.codePointAt(at) ?? 0);
      add(next);
      at += next.length;
    } else add(char);
  }
  if (open) all.push(word(open));
  return all;
}

/** Where a quote ends. */
function closing(line: string, from: number, quote: string, hasEscapes: boolean): number | undefined {
  for (let at = from; at < line.length; at += 1) {
    if (hasEscapes && line[at] === "\\") at += 1;
    else if (line[at] === quote) return at;
  }
  return undefined;
}

/** What stands between `$'` and `'`. */
function escaped(text: string): number[] {
  const all: number[] = [];
  for (const [part, hex, short, plain] of text.matchAll(/\\x([0-9A-Fa-f]{1,2})|\\([ntrabfve0])|(\\?[^])/gu)) {
    if (hex !== undefined) all.push(Number.parseInt(hex, 16));
    else if (short !== undefined) all.push(ESCAPES[short] ?? 0);
    else all.push(...encoder.encode(plain === undefined ? part : plain.replace(/^\\(?=.)/su, "")));
  }
  return all;
}

function word(bytes: readonly number[]): Word {
  const own = Uint8Array.from(bytes);
  return { bytes: own, text: textOf(own) ?? new TextDecoder().decode(own) };
}
