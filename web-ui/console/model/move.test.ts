import { expect, test } from "vitest";

import { met, moveDrafts, movesOf } from "./move";
import type { There } from "./transfer";

const there = (key: string, lease?: string): There => ({ key, value: new TextEncoder().encode(key), modRevision: "5", lease });

test("what keys begin with is another thing", () => {
  const moves = movesOf([there("app/a"), there("app/b/c")], "app/", "old/app/");
  expect(moves.map(({ key, to }) => [key, to])).toEqual([["app/a", "old/app/a"], ["app/b/c", "old/app/b/c"]]);
  expect(met(moves).size).toBe(0);
  expect([...met(movesOf([there("a"), there("aa")], "", "a"))]).toEqual(["aa"]);
});

test("a key is moved in one batch, with its lease, if both names are as they were seen", () => {
  const moves = movesOf([there("a", "7"), there("b"), there("c")], "", "x/");
  const drafts = moveDrafts(moves, false, 2);
  expect(drafts.map(({ batch }) => batch.operations.length)).toEqual([4, 2]);
  expect(drafts[0]?.batch.if.slice(0, 2)).toEqual([{ key_b64: "YQ==", mod_revision: "5" }, { key_b64: "eC9h", exists: false }]);
  expect(drafts[0]?.batch.operations.slice(0, 3)).toEqual([
    { put: { key_b64: "eC9h", value_b64: "YQ==", lease: "7" } },
    { delete: { key_b64: "YQ==" } },
    { put: { key_b64: "eC9i", value_b64: "Yg==" } },
  ]);
  expect(moveDrafts(moves, true)[0]?.batch.operations).toHaveLength(3);
  expect(moveDrafts(moves, false, 9, 1)).toHaveLength(3);
});
