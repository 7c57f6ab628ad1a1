import { expect, test } from "vitest";

import { MOST_BYTES_MERGED, formOf } from "./conflict";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const form = (base: string, theirs: string, mine: string) => formOf(bytes(base), bytes(theirs), bytes(mine));

test("what is text is merged as it is, and JSON on a line in lines as well", () => {
  expect(form("a\nb", "", "a")).toEqual({ kind: "text", asItIs: { base: "a\nb", theirs: "", mine: "a" }, laidOut: undefined, isJson: false });
  expect(form('{"a":1}', '{"a":2}', '{"a":1,"b":7587848390525747211}')).toMatchObject({
    isJson: true,
    asItIs: { theirs: '{"a":2}' },
    laidOut: { base: '{\n  "a": 1\n}', mine: '{\n  "a": 1,\n  "b": 7587848390525747211\n}' },
  });
  // In lines already, or not JSON on one side: there is one form.
  expect(form("{\n}", "[\n1]", "{\n}\n")).toMatchObject({ isJson: true, laidOut: undefined });
  expect(form('{"a":1}', "{broken", '{"a":2}')).toMatchObject({ isJson: false, laidOut: undefined });
});

test("what is no text, too large or gone is taken whole", () => {
  expect(formOf(bytes("a"), undefined, bytes("b"))).toEqual({ kind: "gone" });
  expect(formOf(bytes("a"), Uint8Array.of(0, 255), bytes("b"))).toEqual({ kind: "bytes" });
  expect(formOf(bytes("a"), bytes("b"), new Uint8Array(MOST_BYTES_MERGED + 1).fill(97))).toEqual({ kind: "large" });
  expect(formOf(bytes("a"), bytes("b"), new Uint8Array(MOST_BYTES_MERGED).fill(97))).toMatchObject({ kind: "text" });
});
