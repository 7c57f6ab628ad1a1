// What is written, as calls: a line each, or a request with its body down to the next empty line.

export interface Block {
  /** Lines, from 1 on: its first, and its last. */
  from: number;
  to: number;
  text: string;
}

export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** The method of a line that is a request. */
export function methodOf(line: string): string | undefined {
  return /^\s*([A-Z]+)(\s|$)/.exec(line)?.[1];
}

export function hasBody(method: string): boolean {
  return ["POST", "PUT", "PATCH"].includes(method);
}

export function isComment(line: string): boolean {
  return /^\s*(#|\/\/)/.test(line);
}

export function blocksOf(text: string): Block[] {
  const lines = text.split("\n");
  const all: Block[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    if (line.trim() === "" || isComment(line)) continue;
    const from = at;
    if (hasBody(methodOf(line) ?? "")) while ((lines[at + 1] ?? "").trim() !== "") at += 1;
    all.push({ from: from + 1, to: at + 1, text: lines.slice(from, at + 1).join("\n") });
  }
  return all;
}

/** The call that a line belongs to; where it belongs to none, the one that ends right above it. */
export function blockAt(blocks: readonly Block[], line: number): Block | undefined {
  return blocks.find(({ from, to }) => from <= line && line <= to) ?? blocks.find(({ to }) => to === line - 1);
}
