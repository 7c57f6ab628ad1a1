import { expect, test } from "vitest";

import { modeFor, modeOf } from "./modes";

test("a key's end says what is in it, unless that is something else", () => {
  for (const [key, mode] of [["a/pom.xml", "xml"], ["a/Cargo.TOML", "toml"], ["app.properties", "properties"], ["my.ini", "properties"], ["run.sh", "shell"], ["1.sql", "sql"], ["nginx.conf", "nginx"], ["a.yml", "yaml"]] as const) {
    expect(modeFor("text", key), key).toBe(mode);
    expect(modeFor("empty", key), key).toBe(mode);
  }
  expect(modeFor("json", "nginx.conf")).toBe("json");
  expect(modeFor("binary", "a.xml")).toBe("hex");
  // Keys and values with a colon look like YAML.
  expect(modeFor("yaml", "a.properties")).toBe("properties");
  expect([modeFor("yaml", "a"), modeFor("text", "a"), modeFor("text", "a.xml/b")]).toEqual(["yaml", "text", "text"]);
  for (const key of ["toml", "a.", "a.constructor", "a.toml.bak"]) expect(modeOf(key), key).toBeUndefined();
});
