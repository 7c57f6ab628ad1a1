import { expect, test } from "vitest";

import { MOST, type Snippet, complaintOf, kept, read, without } from "./snippets";

test("each name is there once, in order, and what comes is what it is", () => {
  let all: readonly Snippet[] = kept([], { name: " b ", text: "get b\n" });
  all = kept(all, { name: "a", text: "get a" });
  all = kept(all, { name: "b", text: "get b2" });
  expect(all).toEqual([{ name: "a", text: "get a" }, { name: "b", text: "get b2" }]);
  expect(without(all, "a")).toEqual([{ name: "b", text: "get b2" }]);
  expect(read(JSON.stringify(all))).toEqual(all);
});

test("bounded, and no secrets", () => {
  let all: readonly Snippet[] = [];
  for (let at = 0; at < MOST; at += 1) all = kept(all, { name: `n${at}`, text: "get a" });
  expect(complaintOf(all, { name: "one more", text: "get a" })).toContain("take one away first");
  expect(complaintOf(all, { name: "n3", text: "get b" })).toBeUndefined();
  expect(complaintOf([], { name: "a", text: "PUT /v3/users/a/password\n{}" })).toContain("password");
  expect(complaintOf([], { name: "a", text: "x".repeat(4_001) })).toContain("longer");
  expect(complaintOf([], { name: "a".repeat(61), text: "get a" })).toContain("A name");
  expect(complaintOf([], { name: "a", text: " \n" })).toContain("nothing");
  const many = Array.from({ length: 90 }, (_, at) => ({ name: `n${at}`, text: "get a" }));
  expect(read(JSON.stringify(many))).toHaveLength(MOST);
  expect(read(JSON.stringify([{ name: "a", text: "put token x" }, { name: "", text: "get a" }, 1, null]))).toEqual([]);
  for (const text of [null, "", "{}", "nonsense"]) expect(read(text)).toEqual([]);
});
