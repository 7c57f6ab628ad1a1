// What changes, as it does: server-sent events. The browser comes back by itself where it was, after a restart of the server too;
// what ends a stream for good (a login that is over) is mended here, and it goes on behind the last event.
import { type Query, address } from "./base";
import { answered, silent } from "./reach";
import * as session from "./session";

export interface Followed {
  query: Query;
  /** The names of the events that are wanted, each with its document. */
  on: Record<string, (data: unknown, id: string) => void>;
}

const AGAIN_MS = 1_000;
/** How long a page that is not seen keeps its streams. */
const UNSEEN_MS = 10_000;

/** Follows `path` until the function that comes back is called. */
export function follow(path: string, { query, on }: Followed): () => void {
  let [source, last, ended]: [EventSource | undefined, string | undefined, boolean] = [undefined, undefined, false];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const open = (): void => {
    // Where one was goes before where one began, and the server takes one of the two.
    const from = last === undefined ? {} : { since: last, start_revision: undefined, initial: undefined };
    source = new EventSource(address(path, { ...query, ...from }));
    source.onopen = answered;
    for (const [name, told] of Object.entries(on)) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        if (event.lastEventId) last = event.lastEventId;
        told(JSON.parse(event.data), event.lastEventId);
      });
    }
    source.onerror = () => {
      if (ended) return;
      silent();
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(() => void again(), AGAIN_MS);
    };
  };

  const again = async (): Promise<void> => {
    await session.load().catch(silent);
    const nobody = session.session.get();
    const isOut = nobody?.authentication === true && nobody.user === undefined;
    if (isOut) await session.login();
    if (!ended) open();
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
