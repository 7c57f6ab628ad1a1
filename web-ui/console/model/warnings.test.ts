import { expect, test } from "vitest";

import { MOST_WARNINGS, type Warning, added, fieldsOf, matches } from "./warnings";

const line = (id: number, more: Partial<Warning> = {}): Warning => ({ event_id: `1-${id}`, level: "warn", ts: "", caller: "here.rs:1", msg: "something", ...more });

test("lines are told once, and the oldest give way", () => {
  const two = added([], [line(1), line(2)]);
  expect(added(two, [line(1), line(2), line(3)]).map(({ event_id: id }) => id)).toEqual(["1-1", "1-2", "1-3"]);
  expect(added(two, [line(2)])).toBe(two);
  const many = added(two, Array.from({ length: MOST_WARNINGS }, (_, at) => line(at + 10)));
  expect(many).toHaveLength(MOST_WARNINGS);
  expect(many[0]?.event_id).toBe("1-10");
});

test("what else a line says is text, and found", () => {
  const one = line(1, { level: "error", remote: "10.0.0.7", took: 1.5, tags: ["a"] });
  expect(fieldsOf(one)).toEqual([["remote", "10.0.0.7"], ["took", "1.5"], ["tags", '["a"]']]);
  expect(matches(one, "", true)).toBe(true);
  expect(matches(line(1), "", true)).toBe(false);
  expect(matches(one, "SOMETHING 10.0", false)).toBe(true);
  expect(matches(one, "here.rs took", false)).toBe(true);
  expect(matches(one, "something else", false)).toBe(false);
});
