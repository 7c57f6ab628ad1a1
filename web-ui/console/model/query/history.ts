// What was run, the newest first, as it is kept in the browser: bounded, and without what may be a secret.

const MOST = 50;
const MOST_LETTERS = 2_000;
const SECRET = /passw|token|secret|authoriz|credential|api[-_]?key|private[-_]?key|\/v3(alpha|beta)?\/(session|auth\/authenticate)/i;

/** Whether it may not be kept, or stand in an address. */
export function isSecret(text: string): boolean {
  return SECRET.test(text);
}

/** With one more, unless it is not for keeping. */
export function remembered(history: readonly string[], text: string): readonly string[] {
  const own = text.trim();
  if (own === "" || own.length > MOST_LETTERS || isSecret(own)) return history;
  return [own, ...history.filter((each) => each !== own)].slice(0, MOST);
}

/** What was kept, if that is what it is. */
export function read(kept: string | null): readonly string[] {
  try {
    const told: unknown = JSON.parse(kept ?? "[]");
    return Array.isArray(told) ? (told as unknown[]).filter((each): each is string => typeof each === "string" && each.length <= MOST_LETTERS && !isSecret(each)).slice(0, MOST) : [];
  } catch {
    return [];
  }
}
