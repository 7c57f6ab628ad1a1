import { describe, expect, test } from "vitest";

import { type Choice, type Region, merge, resolved } from "./merge";

const text = (...lines: string[]): string => lines.join("\n");
const kinds = (regions: Region[]): string[] => regions.map((region) => (region.kind === "taken" ? region.by : region.kind));
const conflicts = (regions: Region[]) => regions.filter((region) => region.kind === "conflict");

describe("what one side has changed alone is taken", () => {
  const base = text("a", "b", "c", "d", "e", "f");
  test("changed, removed and added lines of both", () => {
    const regions = merge(base, text("A", "b", "c", "d", "f"), text("a", "b", "c", "c2", "d", "e", "f"));
    expect(kinds(regions)).toEqual(["theirs", "same", "mine", "same", "theirs", "same"]);
    expect(resolved(regions, [])).toBe(text("A", "b", "c", "c2", "d", "f"));
  });

  test("the same change of both is one", () => {
    const regions = merge(base, text("a", "x", "c", "d", "e", "f"), text("a", "x", "c", "d", "e", "g"));
    expect(kinds(regions)).toEqual(["same", "both", "same", "mine"]);
    expect(resolved(regions, [])).toBe(text("a", "x", "c", "d", "e", "g"));
  });

  test("nothing changed, or one side alone", () => {
    expect(kinds(merge(base, base, base))).toEqual(["same"]);
    for (const changed of ["", "z", text("a", "b"), `${base}\n`]) {
      expect(resolved(merge(base, changed, base), [])).toBe(changed);
      expect(resolved(merge(base, base, changed), [])).toBe(changed);
    }
  });
});

describe("what both have changed is for somebody to choose", () => {
  const regions = merge(text("a", "b", "c", "d"), text("a", "theirs", "c", "d2"), text("a", "mine", "c", "d"));
  test("the choices", () => {
    expect(conflicts(regions)).toEqual([{ kind: "conflict", from: 2, base: ["b"], theirs: ["theirs"], mine: ["mine"] }]);
    const chosen = (choice?: Choice): string => resolved(regions, [choice]);
    expect(chosen()).toBe(text("a", "b", "c", "d2"));
    expect(chosen("theirs")).toBe(text("a", "theirs", "c", "d2"));
    expect(chosen("mine")).toBe(text("a", "mine", "c", "d2"));
    expect(chosen("both")).toBe(text("a", "theirs", "mine", "c", "d2"));
  });

  test("changes that touch are one place, and so are additions at one", () => {
    expect(conflicts(merge("a\nb", "A\nb", "a\nB"))).toHaveLength(1);
    expect(conflicts(merge("a\nb", "a\nx\nb", "a\ny\nb"))).toEqual([{ kind: "conflict", from: 2, base: [], theirs: ["x"], mine: ["y"] }]);
    expect(conflicts(merge("a\nb\nc", "A\nb\nc", "a\nb\nC"))).toHaveLength(0);
  });

  test("what one has removed and the other changed", () => {
    const [conflict] = conflicts(merge("a\nb\nc", "a\nc", "a\nB\nc"));
    expect(conflict).toMatchObject({ theirs: [], mine: ["B"] });
  });

  test("a hunk of one that spans several of the other", () => {
    const [conflict, ...more] = conflicts(merge(text("1", "2", "3", "4", "5"), text("1", "x", "5"), text("1", "two", "3", "four", "5")));
    expect(more).toEqual([]);
    expect(conflict).toMatchObject({ base: ["2", "3", "4"], theirs: ["x"], mine: ["two", "3", "four"] });
  });
});

test("whatever is merged, each side's own text comes back when it is chosen where the other has done nothing", () => {
  // A generator of its own, so that what fails fails again.
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const lines = (): string[] => Array.from({ length: random(12) }, () => "abc"[random(3)] ?? "a");
  const changed = (from: readonly string[]): string[] => from.flatMap((line) => [[line], [], [line, "new"], ["other"], [line]][random(5)] ?? []);
  for (let round = 0; round < 2_000; round += 1) {
    const base = lines();
    const [theirs, mine] = [changed(base), changed(base)];
    const regions = merge(base.join("\n"), theirs.join("\n"), mine.join("\n"));
    const all = (side: "theirs" | "mine"): string => regions.flatMap((region) => {
      if (region.kind === "same") return region.lines;
      if (region.kind === "conflict") return region[side];
      return region.by === side || region.by === "both" ? region.lines : region.base;
    }).join("\n");
    expect([all("theirs"), all("mine")]).toEqual([theirs.join("\n"), mine.join("\n")]);
  }
});

test("many equal lines take no time", () => {
  const same = Array.from({ length: 100_000 }, () => "x");
  const regions = merge(same.join("\n"), ["t", ...same].join("\n"), [...same, "m"].join("\n"));
  expect(kinds(regions)).toEqual(["theirs", "same", "mine"]);
});
