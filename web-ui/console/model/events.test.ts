import { expect, test } from "vitest";

import { EMPTY, type Entry, added, ndjson } from "./events";

function change(number: number, size = 10): Entry {
  return { kind: "put", key: `k${number}`, revision: String(number), id: String(number), data: { key: `k${number}` }, size, at: 0, number };
}

test("what is too many goes, the oldest first, and is counted", () => {
  const first = added(EMPTY, [change(1), change(2)], 3);
  const log = added(first, [change(3), { kind: "resumed", text: "again", at: 0, number: 4 }, change(5)], 3);
  expect(log.entries.map(({ number }) => number)).toEqual([3, 4, 5]);
  expect([log.seen, log.dropped, log.size]).toEqual([4, 2, 20]);
});

test("what is too large goes, too, but never the newest", () => {
  const log = added(added(EMPTY, [change(1, 60), change(2, 30)], 100, 100), [change(3, 40)], 100, 100);
  expect(log.entries.map(({ number }) => number)).toEqual([2, 3]);
  expect([log.dropped, log.size]).toEqual([1, 70]);
  const huge = added(log, [change(4, 1_000)], 100, 100);
  expect(huge.entries.map(({ number }) => number)).toEqual([4]);
  expect([huge.dropped, huge.size]).toEqual([3, 1_000]);
});

test("lines of JSON that can be read again, seams among them", () => {
  const lines = ndjson([change(1), { kind: "compacted", text: "gone", at: 0, number: 2 }]).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { id: "1", event: "put", data: { key: "k1" } },
    { event: "compacted", data: { detail: "gone" } },
  ]);
});
