import { expect, test } from "vitest";

import { complaintOf } from "./xml";

test("what is wrong is said, and where", () => {
  expect(complaintOf('<?xml version="1.0"?>\n<!DOCTYPE a>\n<a b="c"><!-- d --><e/>&amp;<![CDATA[<]]></a>\n')).toBeUndefined();
  expect(complaintOf("<a>\n<b></a>")).toMatch(/^line 2, column \d+: \w[^(]*$/);
  expect(complaintOf("<a b=c/>")).toMatch(/^line 1, column/);
});
