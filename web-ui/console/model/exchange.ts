// A request as it is sent, and what has come of it so far.

export interface Request {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string | undefined;
}

export interface Exchange {
  state: "sent" | "going" | "done" | "stopped" | "failed";
  status?: number;
  said: string;
  headers?: string;
  type?: string;
  /** Lines or events; or the one body. */
  parts: string[];
  /** All that came, those that are no longer shown included. */
  count: number;
  isCut: boolean;
  bytes: number;
  ms: number;
}

/** The parts of a stream of changes down to the last that is wanted, and whether that is among them. */
export function upTo(parts: readonly string[], most: number): { parts: string[]; isEnough: boolean } {
  let seen = 0;
  const last = parts.findIndex((part) => {
    if (/"event":"(put|delete)"/.test(part.slice(0, 2_000))) seen += 1;
    return seen >= most;
  });
  return { parts: parts.slice(0, last < 0 ? parts.length : last + 1), isEnough: last >= 0 };
}
