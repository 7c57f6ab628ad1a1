import { expect, test } from "vitest";

import { type Kept, MOST_BOOKMARKS, MOST_RECENT, isMarked, opened, read, switched } from "./visited";

const none: Kept = { bookmarks: [], recent: [] };
const place = (key: string) => ({ key, at: `#/keys/${key}` });

test("what was opened last stands first, once, and old ones go", () => {
  const many = Array.from({ length: 20 }, (_, at) => place(`k${at}`)).reduce(opened, none);
  expect(many.recent).toHaveLength(MOST_RECENT);
  expect(many.recent[0]?.key).toBe("k19");
  const again = opened(many, place("k15"));
  expect(again.recent.map(({ key }) => key).slice(0, 3)).toEqual(["k15", "k19", "k18"]);
  expect(again.recent).toHaveLength(MOST_RECENT);
  expect(opened(again, place("k15"))).toBe(again);
  expect(opened(none, place("x".repeat(5_000)))).toBe(none);
});

test("bookmarks come and go, and there is an end to them", () => {
  const one = switched(none, place("app/"));
  expect(isMarked(one, "#/keys/app/")).toBe(true);
  expect(switched(one, place("app/")).bookmarks).toEqual([]);
  const full = Array.from({ length: MOST_BOOKMARKS }, (_, at) => place(`k${at}`)).reduce(switched, none);
  expect(switched(full, place("more"))).toBe(full);
});

test("what a browser has kept is not trusted", () => {
  const kept = opened(switched(none, place("app/")), place("app/a"));
  expect(read(JSON.stringify(kept))).toEqual(kept);
  for (const text of [null, "", "null", "{", '{"recent":7}', '{"bookmarks":[null,7,{"key":"a","at":"https://elsewhere.example/"}]}']) expect(read(text)).toEqual(none);
});
