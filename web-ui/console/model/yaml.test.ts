import { expect, test } from "vitest";

import { entriesOf, written } from "./yaml";
import { entriesOf as keysOf } from "./transfer";

const raw = (text: string): unknown[] => entriesOf(text).map(([, each]) => each);

test("lists, keys with their values, and several documents", () => {
  expect(raw("- key: a\n  value: x\n- key_b64: AP8=\n  value_b64: /w==\n")).toEqual([{ key: "a", value: "x" }, { key_b64: "AP8=", value_b64: "/w==" }]);
  expect(raw("keys:\n- key: a\n  value: x\nprefixes: []\n")).toEqual([{ key: "a", value: "x" }]);
  expect(raw("key: a\nvalue: x\n")).toEqual([{ key: "a", value: "x" }]);
  expect(entriesOf("app/a: 1\n---\napp/b: 2\n")).toEqual([["Key 1 of document 1", { key: "app/a", value: "1" }], ["Key 1 of document 2", { key: "app/b", value: "2" }]]);
  expect([raw(""), raw("# nothing\n"), raw("[]")]).toEqual([[], [], []]);
});

test("what is written is what is stored, whatever it looks like", () => {
  const [told] = [raw("a: 1.10\nb: yes\nc: 007\nd: ~\ne: null\nf: 0x1F\ng: 7587848390525747211\nh: |\n  two\n  lines\ni: ''\nj: 2024-01-01\n")];
  expect((told as { value: string }[]).map(({ value }) => value)).toEqual(["1.10", "yes", "007", "~", "null", "0x1F", "7587848390525747211", "two\nlines\n", "", "2024-01-01"]);
  expect(raw("a: !!binary AP8=\n")).toEqual([{ key: "a", value_b64: "AP8=" }]);
  expect(keysOf(entriesOf("a: &x same\nb: *x\n")).map(({ key }) => key)).toEqual(["a", "b"]);
});

test("what is wrong is said, and where", () => {
  expect(() => entriesOf("a: 1\na: 2\n")).toThrow(/unique.*line 2/);
  expect(() => entriesOf("a: [1\n")).toThrow(/line \d/);
  expect(() => entriesOf("a: 1\nb:\n  c: 2\n")).toThrow("Key 2, b, has a value that is no text");
  expect(() => entriesOf("? [a, b]\n: x\n")).toThrow("keys are text");
  expect(() => entriesOf("just a text")).toThrow("no list of keys");
  expect(() => keysOf(entriesOf("- key: a\n"))).toThrow("Key 1 has no value");
  // A few lines that would become billions of keys.
  const bomb = Array.from({ length: 12 }, (_, at) => `x${at}: &x${at} [${Array.from({ length: 9 }, () => (at === 0 ? "a" : `*x${at - 1}`)).join(",")}]`).join("\n");
  expect(() => entriesOf(bomb)).toThrow("alias");
});

test("what is written reads the same, and numbers stay texts for others", () => {
  const keys = [
    { key: "a", value: "1.10", lease: "7587848390525747211", lease_granted_ttl: "60" },
    { key: "b: c", value: "two\nlines\n" },
    { key_b64: "AP8=", value_b64: "/w==" },
    { key: "ключ/🗝", value: "yes" },
    { key: "spaces", value: "  before, after  \n\n\t" },
    { key: "e", value: "" },
  ];
  const text = written(keys);
  expect(raw(text)).toEqual(keys);
  expect(text).toContain('value: "1.10"');
});
