import { expect, test } from "vitest";

import { complaintOf } from "./toml";

test("what is wrong is said, and where", () => {
  expect(complaintOf('title = "a"\n[owner]\nborn = 1979-05-27T07:32:00Z\nbig = 9223372036854775807\n')).toBeUndefined();
  expect(complaintOf("a = 1\nb = [1,\n")).toMatch(/^line \d+, column \d+: \w/);
  expect(complaintOf("a = 1\na = 2")).toMatch(/^line 2, column \d+: /);
});
