import { describe, expect, it } from "vitest";

import { diff, hunks } from "./diff";

const written = (before: string, after: string): string =>
  diff(before, after).map(({ change, text }) => `${{ same: " ", added: "+", removed: "-" }[change]}${text}`).join("\n");

describe("a difference", () => {
  it("is small where little has changed", () => {
    expect(written("a\nb\nc", "a\nx\nc")).toBe(" a\n-b\n+x\n c");
    expect(written("a\nb\nc", "a\nb\nnew\nc")).toBe(" a\n b\n+new\n c");
    expect(written("", "a")).toBe("+a");
    expect(written("a", "")).toBe("-a");
    expect(written("same", "same")).toBe(" same");
  });

  it("leads from one text to the other, whatever they are", () => {
    let seed = 7;
    const next = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 500; round += 1) {
      const text = (): string => Array.from({ length: next(12) }, () => "abc"[next(3)]).join("\n");
      const [before, after] = [text(), text()];
      const lines = diff(before, after);
      const side = (not: string): string => lines.filter(({ change }) => change !== not).map((line) => line.text).join("\n");
      expect([side("added"), side("removed")]).toEqual([before, after]);
    }
  });

  it("ends where there is nothing alike", () => {
    const text = (mark: string): string => Array.from({ length: 5_000 }, (_, at) => mark + at.toString()).join("\n");
    expect(diff(text("a"), text("b"))).toHaveLength(10_000);
  });

  it("is shown with some lines around it", () => {
    const lines = Array.from({ length: 20 }, (_, at) => at.toString());
    const shown = hunks(diff(lines.join("\n"), lines.with(10, "x").join("\n")), 2);
    expect(shown).toHaveLength(8);
    expect([shown[0], shown.at(-1)]).toEqual([{ skipped: 8 }, { skipped: 7 }]);
  });
});
