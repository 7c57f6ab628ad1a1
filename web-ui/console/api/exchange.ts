// Sends a request and tells what comes, as it comes. What the console itself does with refusals does not count here: everything is shown.
import { type Exchange, type Request, upTo } from "../model/exchange";

/** Parts that are kept of a stream; older ones go. */
const MOST_PARTS = 500;
/** Of a body no more is read than that. */
const MOST_BYTES = 1_048_576;

interface How {
  /** How it is asked for; as it is, if nothing is said. */
  ask?: (url: URL, init: RequestInit) => Promise<Response>;
  /** Of a stream of changes, so many are enough. */
  most?: number | undefined;
}

export async function exchange(request: Request, signal: AbortSignal, tell: (now: Exchange) => void, { ask = fetch, most }: How = {}): Promise<void> {
  const begun = performance.now();
  let now: Exchange = { state: "sent", said: "", parts: [], count: 0, isCut: false, bytes: 0, ms: 0 };
  const say = (more: Partial<Exchange>): void => {
    now = { ...now, ...more, ms: performance.now() - begun };
    tell(now);
  };
  say({});
  try {
    const { url, method, headers, body } = request;
    const answer = await ask(url, { method, headers, signal, cache: "no-store", ...(body !== undefined && { body }) });
    const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
    const head = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    say({ state: "going", status: answer.status, said: answer.statusText, headers: head, type });
    const separator = { "text/event-stream": "\n\n", "application/x-ndjson": "\n" }[type];
    const isChunked = answer.headers.get("content-length") === null && type === "application/json" && answer.ok;
    await take(answer, separator ?? (isChunked ? "\n" : undefined), say, () => now, answer.ok ? most : undefined);
    say({ state: "done" });
  } catch (error) {
    const isStopped = signal.aborted;
    say({ state: isStopped ? "stopped" : "failed", ...(!isStopped && { said: error instanceof Error ? error.message : String(error) }) });
  }
}

async function take(answer: Response, separator: string | undefined, say: (more: Partial<Exchange>) => void, now: () => Exchange, most: number | undefined): Promise<void> {
  const reader = answer.body?.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const piece = await reader?.read();
    if (!piece || piece.done) break;
    rest += decoder.decode(piece.value, { stream: true });
    const bytes = now().bytes + piece.value.length;
    if (separator === undefined) {
      const isCut = bytes > MOST_BYTES;
      say({ parts: [rest], bytes, isCut });
      if (isCut) return await reader?.cancel();
      continue;
    }
    const whole = rest.split(separator);
    rest = whole.pop() ?? "";
    const fresh = whole.filter((part) => part.trim() !== "");
    const { parts, count } = now();
    const wanted = most === undefined ? undefined : upTo([...parts, ...fresh], most);
    if (wanted?.isEnough) {
      say({ parts: wanted.parts, count: wanted.parts.length, bytes });
      return await reader?.cancel();
    }
    say({ parts: [...parts, ...fresh].slice(-MOST_PARTS), count: count + fresh.length, isCut: count + fresh.length > MOST_PARTS, bytes });
  }
  if (separator !== undefined && rest.trim() !== "") say({ parts: [...now().parts, rest], count: now().count + 1 });
}
