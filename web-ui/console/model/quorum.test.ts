import { expect, test } from "vitest";

import { type MemberState, needed, onAdd, onMoved, onRemove } from "./quorum";

function members(...states: ("up" | "down" | "learner")[]): MemberState[] {
  return states.map((state, at) => ({ id: String(at), name: `m${at}`, learner: state === "learner", leader: at === 0, isUp: state !== "down" }));
}

test("a member is not removed where the cluster would stand still", () => {
  expect(onRemove(members("up"), "0")?.isFatal).toBe(true);
  expect(onRemove(members("up", "up", "down"), "0")?.isFatal).toBe(true);
  // Two are left, and both are needed.
  expect(onRemove(members("up", "up", "down"), "2")?.isFatal).toBe(false);
  expect(onRemove(members("up", "up", "up", "up"), "3")?.isFatal).toBeUndefined();
  expect(onRemove(members("up", "learner"), "1")).toBeUndefined();
});

test("a voter is not added where those that answer would be too few", () => {
  expect([1, 2, 3, 4, 5].map(needed)).toEqual([1, 2, 2, 3, 3]);
  expect(onAdd(members("up"))?.isFatal).toBe(true);
  expect(onAdd(members("up", "up", "down"))?.isFatal).toBe(true);
  expect(onAdd(members("up", "up", "up"))?.isFatal).toBe(false);
});

test("who is looked for elsewhere may not be found", () => {
  expect(onMoved(members("up"), "0")).toBeUndefined();
  expect(onMoved(members("up", "up", "up"), "0")).toBeUndefined();
  expect(onMoved(members("up", "up", "down"), "2")).toBeUndefined();
  expect(onMoved(members("up", "up", "down"), "0")?.text).toContain("1 of 3 voters answer, and 2 are needed");
  expect(onMoved(members("up", "up"), "1")?.text).toContain("1 of 2");
});
