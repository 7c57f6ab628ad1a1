import { describe, expect, it } from "vitest";

import { type KeyRow, type Row, after, merged, pagesAfter } from "./rows";

const key = (name: string, created = "1", changed = created): KeyRow => ({
  kind: "key", key: name, size: 1, createRevision: created, modRevision: changed, version: "1",
});
const names = (rows: readonly Row[]): string[] => rows.map((row) => (row.kind === "level" ? `${row.key} ${row.count ?? "?"}` : row.key));
const level = merged([key("a/a"), key("a/c")], [{ kind: "level", key: "a/b/", count: 2 }]);

describe("the rows of a level", () => {
  it("are made by what stands between levels, or by nothing", () => {
    const change = { key: "a:b:c", put: key("a:b:c", "9") };
    expect(names(after([], "a:", change, true, ":"))).toEqual(["a:b: 1"]);
    expect(names(after([], "", { key: "a/b/c", put: key("a/b/c", "9") }, true, ""))).toEqual(["a/b/c"]);
  });
  it("stand in one order", () => expect(names(level)).toEqual(["a/a", "a/b/ 2", "a/c"]));

  it("change with keys that come, are written again, and go", () => {
    expect(names(after(level, "a/", { key: "a/bb", put: key("a/bb") }, true))).toEqual(["a/a", "a/b/ 2", "a/bb", "a/c"]);
    expect(after(level, "a/", { key: "a/a", put: key("a/a", "1", "9") }, true)[0]).toEqual(key("a/a", "1", "9"));
    expect(names(after(level, "a/", { key: "a/a" }, true))).toEqual(["a/b/ 2", "a/c"]);
    expect(after(level, "a/", { key: "elsewhere" }, true)).toBe(level);
  });

  it("count what is further down", () => {
    const more = after(level, "a/", { key: "a/b/x", put: key("a/b/x", "7") }, true);
    expect(names(more)).toEqual(["a/a", "a/b/ 3", "a/c"]);
    expect(names(after(more, "a/", { key: "a/b/x", put: key("a/b/x", "7", "8") }, true))).toEqual(names(more));
    const none = ["a/b/x", "a/b/y", "a/b/z"].reduce((rows, name) => after(rows, "a/", { key: name }, true), more);
    expect(names(none)).toEqual(["a/a", "a/c"]);
    expect(names(after(none, "a/", { key: "a/0/x", put: key("a/0/x") }, true))).toEqual(["a/0/ 1", "a/a", "a/c"]);
  });

  it("leave what is behind the last page to the page that it will come with", () => {
    const change = { key: "a/z", put: key("a/z") };
    expect(after(level, "a/", change, false)).toBe(level);
    const pages = [{ rows: level, next: "x" }, { rows: [key("a/d"), key("a/f")], next: "y" }];
    expect(pagesAfter(pages, "a/", change)).toEqual(pages);
    const [first, second] = pagesAfter(pages, "a/", { key: "a/e", put: key("a/e") });
    expect(first).toBe(pages[0]);
    expect(names(second?.rows ?? [])).toEqual(["a/d", "a/e", "a/f"]);
  });
});
