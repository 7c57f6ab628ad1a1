import { describe, expect, test } from "vitest";

import { Spec } from "../spec";
import { blockAt, blocksOf } from "./blocks";
import { complete } from "./complete";
import { isSecret, read, remembered } from "./history";
import { nearest } from "./nearest";
import { parse } from "./parse";
import { words } from "./words";

const b64 = (text: string): string => Buffer.from(text).toString("base64");
const call = (text: string, endpoint?: string) => {
  const told = parse(text, endpoint);
  if ("wrong" in told) throw new Error(told.wrong);
  return told.call;
};
const body = (text: string): unknown => JSON.parse(call(text).body ?? "null");
const wrong = (text: string): string => {
  const told = parse(text, "http://here:2379");
  return "wrong" in told ? told.wrong : "nothing is wrong";
};

describe("words, as a shell has them", () => {
  const texts = (line: string) => { const told = words(line); return typeof told === "string" ? told : told.map(({ text }) => text); };
  test("quotes and escapes", () => {
    expect(texts(`put a 'b c' "d \\" e" f\\ g h'i'"j" ''`)).toEqual(["put", "a", "b c", 'd " e', "f g", "hij", ""]);
    expect(texts("put $'a\\n\\tb\\'c\\\\' '城'")).toEqual(["put", "a\n\tb'c\\", "城"]);
    expect(texts("get 'a")).toBe("The quote ' is not closed");
  });
  test("any bytes", () => {
    const told = words("$'\\x00\\xff\\x41z'");
    expect(typeof told === "string" ? told : [...(told[0]?.bytes ?? [])]).toEqual([0, 255, 65, 122]);
  });
});

test("a line is a call; a request has its body down to an empty line", () => {
  const text = "# first\nget a\n\nPUT /v3/keys/x\none\n\n  \nGET /v3/keys/x\nput a b\nPOST /v3/kv/range {\n  \"key\": \"YQ==\"\n}";
  const blocks = blocksOf(text);
  expect(blocks.map(({ from, to }) => [from, to])).toEqual([[2, 2], [4, 5], [8, 8], [9, 9], [10, 12]]);
  expect(blockAt(blocks, 5)?.from).toBe(4);
  expect(blockAt(blocks, 6)?.from).toBe(4);
  expect(blockAt(blocks, 7)).toBeUndefined();
  expect(blockAt(blocks, 1)).toBeUndefined();
  expect(call(blocks[1]?.text ?? "")).toEqual({ method: "PUT", path: "/v3/keys/x", body: "one", changes: true });
  expect(JSON.parse(call(blocks[4]?.text ?? "").body ?? "")).toEqual({ key: "YQ==" });
});

describe("commands", () => {
  test("get", () => {
    expect(call("get app/a")).toEqual({ method: "POST", path: "/v3/kv/range", body: JSON.stringify({ key: b64("app/a") }), changes: false });
    expect(body("get app/ --prefix --limit=3 --rev 7 --keys-only")).toEqual({ key: b64("app/"), range_end: b64("app0"), limit: "3", revision: "7", keys_only: true });
    expect(body("get '' --prefix --count-only")).toEqual({ key: "AA==", range_end: "AA==", count_only: true });
    expect(body("get a c --order descend --sort-by modify --consistency s")).toEqual({ key: b64("a"), range_end: b64("c"), sort_order: "DESCEND", sort_target: "MOD", serializable: true });
    expect(body("etcdctl get --prefix -w json -- --a")).toEqual({ key: b64("--a"), range_end: b64("--b") });
    expect(body("get $'\\xff'")).toEqual({ key: "/w==" });
    expect(body("get a --from-key")).toEqual({ key: b64("a"), range_end: "AA==" });
  });
  test("put, del and compaction change something", () => {
    expect(body("put a 'b c' --lease 32698c1 --prev-kv")).toEqual({ key: b64("a"), value: b64("b c"), lease: "52861121", prev_kv: true });
    expect(body("put a --ignore-value")).toEqual({ key: b64("a"), ignore_value: true });
    expect(body("put a -5")).toEqual({ key: b64("a"), value: b64("-5") });
    expect(body("del a/ --prefix")).toEqual({ key: b64("a/"), range_end: b64("a0") });
    expect(body("compaction 12 --physical")).toEqual({ revision: "12", physical: true });
    for (const text of ["put a b", "del a", "compaction 1", "lease grant 5", "lease revoke 5"]) expect(call(text).changes).toBe(true);
    for (const text of ["get a", "watch a", "lease list", "member list", "endpoint status", "alarm list", "user list", "role list"]) expect(call(text).changes).toBe(false);
  });
  test("leases in hexadecimal, or in decimal as answers have them", () => {
    expect(body("lease timetolive 694d5765fc71500b --keys")).toEqual({ ID: "7587817042727751691", keys: true });
    expect(body("lease revoke 7587848390525669387")).toEqual({ ID: "7587848390525669387" });
    expect(body("lease grant 60")).toEqual({ TTL: "60" });
    expect(wrong("lease revoke zz")).toContain("hexadecimal");
  });
  test("watch", () => {
    expect(call("watch app/ --prefix --rev 4 --events 3")).toEqual({ method: "GET", path: "/v3/watch?prefix_b64=YXBwLw&start_revision=4", accept: "application/x-ndjson", most: 3, changes: false });
    expect(call("watch a b --prev-kv").path).toBe("/v3/watch?key_b64=YQ&range_end_b64=Yg&prev_kv=true");
    expect(call("watch '' --prefix").path).toBe("/v3/watch?prefix_b64=");
    expect(wrong("watch a --events 0")).toContain("1 to 500");
  });
});

test("what is wrong is said, with what may have been meant", () => {
  expect(wrong("gte a")).toContain("is get meant?");
  expect(wrong("lease lst")).toContain("is lease list meant?");
  expect(wrong("lease")).toContain("lease grant, lease revoke");
  expect(wrong("membre list")).toContain("is member list meant?");
  expect(wrong("frobnicate")).toContain("there is get, put");
  expect(wrong("get a --prefx")).toBe("get has no flag --prefx: is --prefix meant?");
  expect(wrong("get")).toBe("get is written so: get KEY [END]");
  expect(wrong("put a")).toBe("put wants a key and a value");
  expect(wrong("get a b --prefix")).toContain("do not go together");
  expect(wrong("get ''")).toContain("--prefix makes all keys of it");
  expect(wrong("get a --limit x")).toBe("--limit is a number, and not x");
  expect(wrong("get a --limit")).toBe("--limit wants a value: --limit N");
  expect(wrong("get a -w fields")).toContain("Answers are JSON");
  expect(wrong("GTE /v3/keys")).toContain("is GET meant?");
  expect(wrong("GET http://other/v3/keys")).toContain("GET /v3/keys");
  expect(wrong("GET //other/v3/keys")).toContain("one of this server");
  expect(wrong("GET")).toContain("wants a path");
  expect(wrong("DELETE /v3/keys/a all of it")).toContain("has no body");
  expect(wrong("get a --endpoints http://there:2379")).toContain("no other");
  expect(wrong("etcdctl --endpoints http://here:2379 get a")).toBe("nothing is wrong");
});

test("what only reads is known, and all else may change something", () => {
  for (const text of ["GET /v3/keys/a", "POST /v3/kv/range {}", "POST /v3beta/watch {}", "HEAD /v3/keys/a"]) expect(call(text).changes).toBe(false);
  for (const text of ["PUT /v3/kv/range x", "POST /v3/kv/txn {}", "POST /v3/kv/range/../put {}", "POST /v3/kv/%72ange {}", "DELETE /v3/keys/a", "POST /v3/maintenance/alarm {}"]) expect(call(text).changes).toBe(true);
});

test("what may have been meant is near", () => {
  expect(nearest("--pre-kv", ["--prefix", "--prev-kv"])).toBe("--prev-kv");
  expect(nearest("xyz", ["get", "put"])).toBeUndefined();
  expect(nearest("x".repeat(10_000), ["get"])).toBeUndefined();
});

test("history is bounded, has each once, and no secrets", () => {
  let history: readonly string[] = [];
  for (let at = 0; at < 60; at += 1) history = remembered(history, `get ${at}`);
  expect(history).toHaveLength(50);
  expect(remembered(history, " get 30 ")[0]).toBe("get 30");
  expect(remembered(history, "get 30")).toHaveLength(50);
  for (const text of ["put db/password x", "PUT /v3/users/a/password\n{}", "POST /v3/session {}", "get a?access_token=b", "put a 'Authorization: x'", "x".repeat(3_000), " "]) expect(remembered(history, text)).toBe(history);
  expect(isSecret("get app/a")).toBe(false);
  expect(read(JSON.stringify(["get a", 1, "put token x"]))).toEqual(["get a"]);
  for (const kept of [null, "", "{}", "nonsense"]) expect(read(kept)).toEqual([]);
});

describe("completion", () => {
  const operation = (operationId: string, parameters: object[] = []) => ({ operationId, summary: operationId, parameters, responses: {} });
  const spec = new Spec({
    info: { title: "", version: "" },
    paths: {
      "/v3/keys": { get: operation("keysList", [{ name: "prefix", in: "query", schema: {} }, { name: "counts", in: "query", schema: { type: "boolean" } }]) } as never,
      "/v3/keys/{key}": { get: operation("keysGet"), put: operation("keysPut") } as never,
    },
    components: { schemas: {}, responses: {} },
  });
  const labels = (...lines: string[]) => complete(lines, spec)?.options.map(({ label }) => label);
  test("commands, methods and flags", () => {
    expect(labels("g")).toContain("get");
    expect(labels("G")).toContain("GET");
    expect(labels("lease g")).toEqual(["lease grant"]);
    expect(labels("del a --p")).toEqual(["--prefix", "--from-key", "--prev-kv"]);
    expect(labels("lease list x")).toBeUndefined();
  });
  test("keys", () => {
    expect(complete(["get app/c"], spec)).toMatchObject({ from: 4, keys: { begin: "app/c", isPath: false } });
    expect(complete(["get --prefix app/c"], spec)).toMatchObject({ from: 13, keys: { begin: "app/c" } });
    expect(complete(["put a b"], spec)).toBeUndefined();
    expect(complete(["PUT /v3/keys/app/c"], spec)).toMatchObject({ from: 13, keys: { begin: "app/c", isPath: true } });
  });
  test("paths and parameters, and nothing in bodies and comments", () => {
    expect(labels("GET /v3")).toEqual(["/v3/keys/{key}", "/v3/keys"]);
    expect(labels("PUT /")).toEqual(["/v3/keys/{key}"]);
    expect(labels("GET /v3/keys?prefix=a&c")).toEqual(["prefix", "counts"]);
    expect(labels("GET /v3/keys?prefix=a")).toBeUndefined();
    expect(labels("PUT /v3/keys/a", "get")).toBeUndefined();
    expect(labels("PUT /v3/keys/a", "x", "", "get")).toContain("get");
    expect(labels("# get")).toBeUndefined();
  });
});
