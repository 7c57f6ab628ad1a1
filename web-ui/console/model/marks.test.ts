import { expect, test } from "vitest";

import { chosenOf, extended, removals, sumOf, toggled } from "./marks";
import type { Row } from "./rows";

const key = (name: string, modRevision = "7"): Row => ({ kind: "key", key: name, size: 1, createRevision: "2", modRevision, version: "1" });
const level = (name: string, count?: number): Row => ({ kind: "level", key: name, count });
const rows = [key("a"), level("b/", 3), key("c"), key("d", "9")];

test("rows are marked one by one and in stretches, and what has gone is not marked any more", () => {
  const one = toggled(new Set(), "c");
  expect(toggled(one, "c").size).toBe(0);
  const stretch = extended(one, rows, 1, 0);
  expect([...stretch].sort()).toEqual(["a", "b/", "c"]);
  expect(chosenOf(rows, stretch).map((row) => row.key)).toEqual(["a", "b/", "c"]);
  expect(chosenOf(rows.slice(1), stretch).map((row) => row.key)).toEqual(["b/", "c"]);
  expect(extended(new Set(), rows, -1, 1).size).toBe(2);
  expect(sumOf(rows)).toEqual({ keys: 3, levels: 1, below: 3 });
  expect(sumOf([level("x/")])).toEqual({ keys: 0, levels: 1, below: 0 });
});

test("what goes, goes if it is as it was seen, so many at once", () => {
  const [first, second, third] = removals([level("b/"), key("\u00e9"), key("d", "9")], 2);
  expect(third).toBeUndefined();
  expect(first?.batch.if).toEqual([{ key_b64: "w6k=", mod_revision: "7" }]);
  expect(first?.batch.operations).toEqual([{ delete: { prefix_b64: "Yi8=" } }, { delete: { key_b64: "w6k=" } }]);
  expect(second?.batch).toEqual({ if: [{ key_b64: "ZA==", mod_revision: "9" }], operations: [{ delete: { key_b64: "ZA==" } }] });
});
