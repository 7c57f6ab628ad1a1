import { expect, test } from "vitest";

import { fromBase64, isBase64, prefixEnd, toBase64 } from "./bytes";

test("text is base64 and back, and what is no text is none", () => {
  for (const text of ["", "foo", "Gr\u00fc\u00dfe/\u{1f511}"]) expect(fromBase64(toBase64(text))).toBe(text);
  expect(fromBase64("Zm9v")).toBe("foo");
  expect(fromBase64("/w==")).toBeUndefined();
  expect(fromBase64("no base64!")).toBeUndefined();
});

test("what the API takes for bytes", () => {
  for (const text of ["", "Zm9v", "Zm8=", "Zm8", "/w==", "_-A", "Zg"]) expect(isBase64(text)).toBe(true);
  for (const text of ["plain text", "Zm9vZ", "Gr\u00fc", "Z=m8"]) expect(isBase64(text)).toBe(false);
});

test("a prefix ends before the next one", () => {
  expect(prefixEnd(toBase64("foo"))).toBe(toBase64("fop"));
  expect(prefixEnd(btoa("a\xff\xff"))).toBe(btoa("b"));
  expect(prefixEnd("/w==")).toBe("AA==");
  expect(prefixEnd("")).toBe("AA==");
});
