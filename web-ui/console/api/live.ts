// What changes, as it does: server-sent events. The browser comes back by itself where it was, after a restart of the server too;
// what ends a stream for good (a login that is over) is mended here, and it goes on behind the last event. What is refused is told.
import { type Query, address } from "./base";
import { send } from "./client";
import { Problem } from "./problem";
import { answered, silent } from "./reach";

export interface Followed {
  query: Query;
  /** The names of the events that are wanted, each with its document. */
  on: Record<string, (data: unknown, id: string) => void>;
  /** It knows no `since`: after a pause all is told once more. */
  isWhole?: boolean;
  /** The server wants to tell nothing: nothing more comes. */
  refused?: (problem: Problem) => void;
}

const AGAIN_MS = 1_000;
/** How long a page that is not seen keeps its streams. */
const UNSEEN_MS = 10_000;

/** Follows `path` until the function that comes back is called. */
export function follow(path: string, { query, on, isWhole = false, refused }: Followed): () => void {
  let [source, last, ended]: [EventSource | undefined, string | undefined, boolean] = [undefined, undefined, false];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const url = (): URL => {
    // Where one was goes before where one began, and the server takes one of the two.
    const from = last === undefined || isWhole ? {} : { since: last, start_revision: undefined, initial: undefined };
    return address(path, { ...query, ...from });
  };

  const open = (): void => {
    source = new EventSource(url());
    source.onopen = answered;
    for (const [name, told] of Object.entries(on)) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        if (event.lastEventId) last = event.lastEventId;
        told(JSON.parse(event.data), event.lastEventId);
      });
    }
    source.onerror = () => {
      if (ended) return;
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(() => void again(), AGAIN_MS);
      else silent();
    };
  };

  // It was answered with something else than a stream. The browser does not say with what, so it is asked for once more.
  const again = async (): Promise<void> => {
    const enough = new AbortController();
    try {
      await send(url(), { headers: { accept: "text/event-stream" }, signal: enough.signal });
      enough.abort();
      if (!ended) open();
    } catch (error) {
      if (ended) return;
      const isOver = error instanceof Problem && error.status < 500 && error.status !== 429;
      if (isOver) refused?.(error);
      else timer = setTimeout(() => void again(), AGAIN_MS);
    }
  };

  // A browser has six connections for a server, and streams of pages that nobody looks at would have them all.
  const seen = (): void => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => source?.close(), UNSEEN_MS);
    else if (source?.readyState === EventSource.CLOSED) open();
  };
  document.addEventListener("visibilitychange", seen);

  open();
  return () => {
    ended = true;
    document.removeEventListener("visibilitychange", seen);
    clearTimeout(timer);
    source?.close();
  };
}
