import { expect, test } from "vitest";

import { Later } from "./later";
import { type KeyRow, type LevelRow, type Row, pagesAfter } from "./rows";

const key = (name: string, created = "1", changed = created): KeyRow => ({
  kind: "key", key: name, size: 1, createRevision: created, modRevision: changed, version: "1",
});
const level = (name: string, count: number): LevelRow => ({ kind: "level", key: name, count });
const names = (rows: readonly Row[]): string[] => rows.map((row) => (row.kind === "level" ? `${row.key} ${row.count ?? "?"}` : `${row.key} ${row.modRevision}`));

test("a page that comes later is as if each change had been made in it", () => {
  const changes = [
    { key: "a/d", put: key("a/d", "1", "5") }, { key: "a/d", put: key("a/d", "1", "6") }, { key: "a/e" },
    { key: "a/f/x", put: key("a/f/x", "7") }, { key: "a/f/y" }, { key: "a/f/z", put: key("a/f/z", "8") }, { key: "a/f/z", put: key("a/f/z", "8", "9") },
    { key: "a/g/only" }, { key: "a/h/new", put: key("a/h/new", "10") }, { key: "elsewhere", put: key("elsewhere") },
  ];
  const page = { rows: [key("a/d"), key("a/e"), level("a/f/", 3), level("a/g/", 1), key("a/k")], next: "more" };
  const later = new Later("a/");
  for (const change of changes) later.add(change, "a/c");
  // One for each row, however often it has changed.
  expect(later.size).toBe(5);
  const each = changes.reduce((pages, change) => pagesAfter(pages, "a/", change), [page])[0];
  const { rows } = later.appliedTo(page);
  expect(names(rows)).toEqual(names(each?.rows ?? []));
  expect(names(rows)).toEqual(["a/d 6", "a/f/ 4", "a/h/ 1", "a/k 1"]);
  expect(later.size).toBe(0);
});

test("what is loaded is not kept, and what is further behind waits", () => {
  const later = new Later("a/");
  later.add({ key: "a/b", put: key("a/b") }, "a/c");
  expect(later.size).toBe(0);
  later.add({ key: "a/x", put: key("a/x", "4") }, "a/c");
  expect(later.appliedTo({ rows: [key("a/d")], next: "more" }).rows).toHaveLength(1);
  expect(later.size).toBe(1);
  expect(names(later.appliedTo({ rows: [key("a/e")] }).rows)).toEqual(["a/e 1", "a/x 4"]);
});
