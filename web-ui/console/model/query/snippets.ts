// Calls that somebody keeps by a name, as they are kept in the browser: bounded, and without what may be a secret.
import { isSecret } from "./history";

export interface Snippet {
  name: string;
  text: string;
}

export const MOST = 40;
const MOST_LETTERS = 4_000;
export const MOST_NAME = 60;

/** Why it is not for keeping. */
export function complaintOf(all: readonly Snippet[], { name, text }: Snippet): string | undefined {
  if (text.trim() === "") return "There is nothing written to keep.";
  if (text.length > MOST_LETTERS) return `It is longer than ${MOST_LETTERS} letters, which is what is kept of one.`;
  if (isSecret(text) || isSecret(name)) return "A password or a token may be in it, and the browser is no place for them.";
  if (name.trim().length > MOST_NAME) return `A name has up to ${MOST_NAME} letters.`;
  if (all.length >= MOST && !named(all, name)) return `There are ${MOST}, and that is all there may be: take one away first.`;
  return undefined;
}

export function named(all: readonly Snippet[], name: string): Snippet | undefined {
  return all.find((each) => each.name === name.trim());
}

/** With one more, or with another one of its name, in the order of names. */
export function kept(all: readonly Snippet[], { name, text }: Snippet): Snippet[] {
  const one = { name: name.trim(), text: text.trim() };
  return [...without(all, one.name), one].sort((a, b) => a.name.localeCompare(b.name));
}

export function without(all: readonly Snippet[], name: string): Snippet[] {
  return all.filter((each) => each.name !== name);
}

/** What was kept, if that is what it is. */
export function read(text: string | null): readonly Snippet[] {
  try {
    const told: unknown = JSON.parse(text ?? "[]");
    const all = Array.isArray(told) ? (told as unknown[]) : [];
    return all.reduce<Snippet[]>((found, each) => {
      const { name, text: own } = (each ?? {}) as Partial<Record<keyof Snippet, unknown>>;
      const isOne = typeof name === "string" && name.trim() !== "" && typeof own === "string";
      return isOne && complaintOf(found, { name, text: own }) === undefined ? kept(found, { name, text: own }) : found;
    }, []);
  } catch {
    return [];
  }
}
