// Streams of pages that are not seen, or whose turn it is not: what is asked for, and when it is left.
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";

/** What a browser makes of a stream, as far as pages have to do with it: events are the test's. */
class Source extends EventTarget {
  static readonly CLOSED = 2;
  static all: Source[] = [];
  readyState = 0;
  onopen: () => void = () => undefined;
  onerror: () => void = () => undefined;
  constructor(readonly url: URL) {
    super();
    Source.all.push(this);
  }
  static get open(): Source[] {
    return Source.all.filter(({ readyState }) => readyState !== Source.CLOSED);
  }
  close(): void {
    this.readyState = Source.CLOSED;
  }
  opens(): void {
    this.readyState = 1;
    this.onopen();
  }
  tells(name: string, id: string): void {
    this.dispatchEvent(new MessageEvent(name, { data: "{}", lastEventId: id }));
  }
}

const page = Object.assign(new EventTarget(), { baseURI: "http://localhost:2379/ui/", hidden: false });
let live: typeof import("./live");
let turns: typeof import("./turns");

function hide(isHidden: boolean): void {
  page.hidden = isHidden;
  page.dispatchEvent(new Event("visibilitychange"));
}

/** Follows changes, and tells what it is told. */
function follows() {
  const told: string[] = [];
  const on = { opened: () => told.push("opened"), put: (_: unknown, id: string) => told.push(id) };
  const stop = live.follow("v3/watch", { query: { prefix: "a/", start_revision: "5" }, on });
  return { told, stop };
}

function newest(): Source {
  const source = Source.all.at(-1);
  if (!source) throw new Error("there is no stream");
  return source;
}

beforeAll(async () => {
  vi.useFakeTimers();
  vi.stubGlobal("document", page);
  vi.stubGlobal("EventSource", Source);
  live = await import("./live");
  turns = await import("./turns");
});
afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
beforeEach(() => {
  Source.all = [];
  page.hidden = false;
  turns.isLive.set(true);
});

test("a page that is not seen for a while leaves its stream, and goes on behind the last event", () => {
  const { told, stop } = follows();
  newest().opens();
  newest().tells("opened", "5.0");
  newest().tells("put", "6.1");
  hide(true);
  vi.advanceTimersByTime(turns.UNSEEN_MS - 1);
  expect(Source.open).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(Source.open).toHaveLength(0);
  vi.advanceTimersByTime(600_000);
  expect(Source.all).toHaveLength(1);
  hide(false);
  expect(Source.open).toHaveLength(1);
  expect(newest().url.search).toBe("?prefix=a%2F&since=6.1");
  newest().opens();
  newest().tells("opened", "6.1");
  newest().tells("put", "9.1");
  expect(told).toEqual(["opened", "6.1", "9.1"]);
  stop();
  expect(Source.open).toHaveLength(0);
  hide(true);
  hide(false);
  expect(Source.open).toHaveLength(0);
});

test("who looks elsewhere for a moment keeps the stream", () => {
  const { stop } = follows();
  newest().opens();
  hide(true);
  vi.advanceTimersByTime(turns.UNSEEN_MS - 1);
  hide(false);
  vi.advanceTimersByTime(600_000);
  expect(Source.all).toHaveLength(1);
  expect(Source.open).toHaveLength(1);
  stop();
});

test("a page whose turn it is not looks, leaves, and comes again behind what it has", () => {
  const { told, stop } = follows();
  newest().opens();
  newest().tells("opened", "5.0");
  turns.isLive.set(false);
  newest().tells("put", "6.1");
  vi.advanceTimersByTime(2_000);
  expect(Source.open).toHaveLength(0);
  vi.advanceTimersByTime(live.EVERY_MS);
  expect(Source.open).toHaveLength(1);
  // It has to wait for a connection for as long as it takes.
  vi.advanceTimersByTime(60_000);
  expect(Source.open).toHaveLength(1);
  expect(newest().url.searchParams.get("since")).toBe("6.1");
  newest().opens();
  newest().tells("opened", "6.1");
  newest().tells("put", "7.1");
  vi.advanceTimersByTime(1_000);
  expect(Source.open).toHaveLength(0);
  turns.isLive.set(true);
  expect(Source.open).toHaveLength(1);
  vi.advanceTimersByTime(600_000);
  expect(Source.open).toHaveLength(1);
  expect(told).toEqual(["opened", "6.1", "7.1"]);
  stop();
});

test("a hidden page whose turn it is not leaves at once, and looks at nothing", () => {
  const { stop } = follows();
  newest().opens();
  hide(true);
  turns.isLive.set(false);
  vi.advanceTimersByTime(600_000);
  expect(Source.all).toHaveLength(1);
  expect(Source.open).toHaveLength(0);
  stop();
});
