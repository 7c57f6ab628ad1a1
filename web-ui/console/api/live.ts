// What changes, as it does: server-sent events. The browser comes back by itself where it was, after a restart of the server too;
// what ends a stream for good (a login that is over) is mended here, and it goes on behind the last event. What is refused is told.
import { type Query, address } from "./base";
import { send } from "./client";
import { Problem } from "./problem";
import { answered, silent } from "./reach";
import { Store } from "./store";
import { UNSEEN_MS, isLive } from "./turns";

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
/** How often a page looks that may not keep its streams, */
export const EVERY_MS = 3_000;
/** for how long at most, and for how long after the first that it is told: what has come meanwhile comes at once, and the rest the next time. */
const LOOK_MS = { most: 2_000, after: 500 };

/** Streams of this page that somebody wants. */
export const streams = new Store(0);

/** Follows `path` until the function that comes back is called. */
export function follow(path: string, { query, on, isWhole = false, refused }: Followed): () => void {
  let [source, last, ended, hasLeft]: [EventSource | undefined, string | undefined, boolean, boolean] = [undefined, undefined, false, false];
  /** What comes next: there is one such thing at a time. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  const next = (ms: number, what: () => void): void => {
    clearTimeout(timer);
    timer = setTimeout(what, ms);
  };

  const url = (): URL => {
    // Where one was goes before where one began, and the server takes one of the two.
    const from = last === undefined || isWhole ? {} : { since: last, start_revision: undefined, initial: undefined };
    return address(path, { ...query, ...from });
  };

  const leave = (): void => {
    source?.close();
    hasLeft = true;
  };
  /** It only looks: it goes soon, and comes again. */
  const lookFor = (ms: number): void => next(ms, () => { leave(); next(EVERY_MS, open); });

  const open = (): void => {
    source?.close();
    source = new EventSource(url());
    let isTold = false;
    source.onopen = () => {
      answered();
      if (!isLive.get() && !document.hidden) lookFor(LOOK_MS.most);
    };
    for (const [name, told] of Object.entries(on)) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        if (event.lastEventId) last = event.lastEventId;
        if (!isTold && !isLive.get() && !document.hidden) lookFor(LOOK_MS.after);
        isTold = true;
        // That it goes on where the page itself has left it is no news.
        const isKnown = name === "opened" && hasLeft;
        hasLeft = false;
        if (!isKnown) told(JSON.parse(event.data), event.lastEventId);
      });
    }
    source.onerror = () => {
      if (ended) return;
      if (source?.readyState === EventSource.CLOSED) next(AGAIN_MS, () => void again());
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
      else next(AGAIN_MS, () => void again());
    }
  };

  /** The page is seen, or not any more; it may keep its streams, or not any more. */
  const turned = (): void => {
    clearTimeout(timer);
    if (document.hidden) next(isLive.get() ? UNSEEN_MS : 0, leave);
    else if (source?.readyState === EventSource.CLOSED) open();
    else if (!isLive.get()) lookFor(LOOK_MS.after);
  };
  document.addEventListener("visibilitychange", turned);
  const deaf = isLive.subscribe(turned);
  streams.set(streams.get() + 1);

  open();
  return () => {
    ended = true;
    streams.set(streams.get() - 1);
    document.removeEventListener("visibilitychange", turned);
    deaf();
    clearTimeout(timer);
    source?.close();
  };
}
