// Over HTTP/1.1 a browser has six connections for a server, for all pages together, and a stream takes one for as long as it is open:
// four pages of two streams, and the next one would not even load. So streams stay open in the pages that were used last alone; the
// others look every few seconds, and there is always a connection to be had.
import { type Said, Turns } from "../model/turns";
import { Store } from "./store";

/** Each has two streams at most: a third of the connections stays free. */
const MOST_PAGES = 2;
/** How long a page that is not seen keeps its streams, if nobody else wants them. */
export const UNSEEN_MS = 10_000;
/** Between two questions who is still there. */
const ASK_MS = 5_000;
const USED = ["focus", "pointerdown", "keydown"] as const;

/** Whether streams of this page may stay open. */
export const isLive = new Store(true);

/** Over HTTP/2 streams take no connections. What stands between may speak another version, and then says so here. */
function isScarce(): boolean {
  const [page] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return !/^h[23]/.test(page?.nextHopProtocol ?? "");
}

/** From here on the page tells the others when it is used, and hears them. While it waits for its turn it asks who is still there. */
export function begin(): void {
  if (!isScarce()) return;
  // Not `crypto.randomUUID`, which pages without TLS do not have.
  const turns = new Turns(`${Date.now()} ${Math.random()}`, MOST_PAGES);
  const channel = new BroadcastChannel("keyport.console.streams");
  const say = (said: Said | undefined): void => {
    if (said) channel.postMessage(said);
    isLive.set(turns.isMine);
  };
  const used = (): void => { if (!document.hidden) say(turns.used(Date.now())); };
  channel.onmessage = ({ data }: MessageEvent<Said>) => say(turns.heard(data));
  setInterval(() => { if (!turns.isMine) say(turns.asks()); }, ASK_MS);
  for (const name of USED) window.addEventListener(name, used, { capture: true, passive: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => say(turns.gone()), UNSEEN_MS);
    else used();
  });
  window.addEventListener("pagehide", () => say(turns.gone()));
  window.addEventListener("pageshow", used);
}
