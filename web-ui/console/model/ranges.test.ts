import { expect, test } from "vitest";

import { quotedKey } from "./copy";
import { etcdctlWords, hint, query, rangeOf, words } from "./ranges";

test("ranges as people read them, as parameters, and for etcdctl", () => {
  const all = [{ prefix: "" }, { prefix: "app/" }, { key: "a b" }, { from: "a", to: "c" }, { from: "a" }, { key_b64: "/w==" }];
  expect(all.map(words)).toEqual(["all keys", "app/…", "a b", "a up to c", "a and all behind it", "\\xff"]);
  expect(query({ from: "a", to: "c" })).toEqual({ from_b64: "YQ", to_b64: "Yw" });
  expect(query({ prefix: "" })).toEqual({ prefix_b64: "" });
  expect(all.map((range) => etcdctlWords(range, quotedKey))).toEqual(["--prefix ''", "--prefix app/", "'a b'", "a c", "--from-key a", "$'\\xff'"]);
});

test("what is typed is a range, or none", () => {
  expect(rangeOf("all", "", "")).toEqual({ prefix: "" });
  expect(rangeOf("prefix", "app/", "")).toEqual({ prefix: "app/" });
  expect(rangeOf("prefix", "", "")).toBeUndefined();
  expect(rangeOf("from", "b", "a")).toBeUndefined();
  expect(rangeOf("from", "a", "b")).toEqual({ from: "a", to: "b" });
  expect(hint("prefix", "app")).toContain("app2");
});
