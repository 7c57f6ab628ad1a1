import { expect, test } from "vitest";

import { sharedBy } from "./lifetimes";
import { batches, parse, planOf, scopeOf } from "./transfer";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("lines, lists and answers are read, whatever bytes they have", () => {
  const entries = [{ key: "a/1", value: bytes("x") }, { key: "a/%FF", value: Uint8Array.of(255) }];
  const lines = '{"key":"a/1","value":"x","mod_revision":"7"}\n{"key_b64":"YS//","value_b64":"/w=="}\n';
  expect(parse(lines)).toEqual(entries);
  expect(parse(`[${lines.trim().replace("\n", ",")}]`)).toEqual(entries);
  expect(parse(`{"prefix":"a/","revision":"9","keys":[${lines.trim().replace("\n", ",")}],"prefixes":[]}`)).toEqual(entries);
  expect(parse('{"prefix":"a/b/"}\n{"key":"k","value":""}')).toEqual([{ key: "k", value: bytes("") }]);
});

test("what is wrong with a file is said, and where", () => {
  expect(() => parse('{"key":"a","value":"x"}\nnonsense')).toThrow("Line 2 is no JSON");
  expect(() => parse('{"key":"a","value":"x"}\n{"key":"b","size":"7"}')).toThrow("Line 2 has no value");
  expect(() => parse('{"key":"a","value":"x"}\n{"key":"a","value":"y"}')).toThrow("twice");
  expect(() => parse('{"key":"a","value":"x"}\n{"type":"/problems/compacted","status":410}')).toThrow("not whole");
  expect(() => parse('[{"key":"a","value_b64":"%"}]')).toThrow("Key 1 is no base64");
});

test("the level that all are below", () => {
  const of = (...keys: string[]) => scopeOf(keys.map((key) => ({ key, value: bytes("") })));
  expect(of("app/a", "app/b/c")).toBe("app/");
  expect(of("app/b/c")).toBe("app/b/");
  expect(of("app/a", "apple")).toBe("");
  expect(of()).toBe("");
});

test("what is different is changed, guarded by what was compared; the rest stays", () => {
  const there = [
    { key: "a", value: bytes("1"), modRevision: "5" },
    { key: "b", value: bytes("2"), modRevision: "6" },
    { key: "d", value: bytes("4"), modRevision: "7" },
  ];
  const file = [{ key: "a", value: bytes("1") }, { key: "b", value: bytes("new") }, { key: "c", value: bytes("3") }];
  const kept = planOf(file, there, false);
  expect([kept.same, kept.kept, kept.changes.map(({ kind, key }) => `${kind} ${key}`)]).toEqual([1, 1, ["change b", "create c"]]);
  const { changes } = planOf(file, there, true);
  expect(changes.map(({ kind, key }) => `${kind} ${key}`)).toEqual(["change b", "create c", "delete d"]);
  expect(batches(changes, 2).map(({ batch }) => batch)).toEqual([
    {
      if: [{ key_b64: "Yg==", mod_revision: "6" }, { key_b64: "Yw==", exists: false }],
      operations: [{ put: { key_b64: "Yg==", value_b64: "bmV3", keep_lease: true } }, { put: { key_b64: "Yw==", value_b64: "Mw==" } }],
    },
    { if: [{ key_b64: "ZA==", mod_revision: "7" }], operations: [{ delete: { key_b64: "ZA==" } }] },
  ]);
  expect(batches(changes, 9, 1)).toHaveLength(3);
  expect(batches([])).toEqual([]);
});

test("times to live: read where a file tells them, put where there is no lease, and shared as they were", () => {
  const lines = '{"key":"a","value":"1","lease":"7","lease_ttl":"20","lease_granted_ttl":"60"}\n{"key":"b","value":"2","lease":"7","lease_granted_ttl":60}\n{"key":"c","value":"3","lease":"9"}\n{"key":"d","value":"4","lease":"8","lease_granted_ttl":"5"}\n';
  const file = parse(lines);
  expect(file.map(({ lifetime }) => lifetime)).toEqual([{ id: "7", granted: 60, left: 20 }, { id: "7", granted: 60, left: undefined }, undefined, { id: "8", granted: 5, left: undefined }]);
  // One is new, one is there as it is in the file, and one is there with a lease of its own.
  const there = [{ key: "b", value: bytes("2"), modRevision: "5" }, { key: "d", value: bytes("4"), modRevision: "6", lease: "99" }];
  const words = (lives: boolean) => planOf(file, there, false, lives).changes.map(({ kind, key, lifetime }) => `${kind} ${key} ${lifetime?.granted ?? "-"}`);
  expect(words(true)).toEqual(["create a 60", "change b 60", "create c -"]);
  expect(words(false)).toEqual(["create a -", "create c -"]);
  const { changes } = planOf(file, there, false, true);
  expect([...sharedBy(changes).values()].map(({ id, keys }) => [id, keys])).toEqual([["7", 2]]);
  const [draft] = batches(changes);
  expect(draft?.bound.map(({ put, lifetime }) => [put.key_b64, put.keep_lease, lifetime.id])).toEqual([["YQ==", undefined, "7"], ["Yg==", undefined, "7"]]);
  expect(() => parse('{"key":"a","value":"1","lease":"7","lease_granted_ttl":"0"}')).toThrow("Key 1 has a time to live that is no number of seconds");
  expect(() => parse('{"key":"a","value":"1","lease_granted_ttl":"60"}')).toThrow("Key 1 has a time to live, and no lease");
});
