import { expect, test } from "vitest";

import { pretty, put, read } from "./lossless";

test("numbers and names are as they were written", () => {
  const text = '{"ID":7587848390525747211,"a":[1.10,-0,{},[ ],"x\\u0041\\",:{"],"b":{"2":null,"1":1E400}}';
  const lines = pretty(read(text));
  expect(lines).toContain('"ID": 7587848390525747211,');
  expect(lines).toContain("1.10,\n    -0,");
  expect(lines.indexOf('"2"')).toBeLessThan(lines.indexOf('"1"'));
  expect(JSON.parse(lines)).toEqual(JSON.parse(text));
  expect(() => read('{"a": }')).toThrow();
});

test("a value is put in its place, or added", () => {
  const json = read('{"a":[{"key":"x"}],"n":1}');
  const text = { kind: "text", text: '"y"' } as const;
  expect(JSON.parse(pretty(put(json, ["a", 0, "key"], text)))).toEqual({ a: [{ key: "y" }], n: 1 });
  expect(JSON.parse(pretty(put(json, ["range_end"], text)))).toEqual({ a: [{ key: "x" }], n: 1, range_end: "y" });
});
