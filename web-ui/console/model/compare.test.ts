import { expect, test } from "vitest";

import { type Pages, differences } from "./compare";
import { ofText } from "./keys";
import type { KeyRow } from "./rows";

const row = (name: string, modRevision = "2"): KeyRow => ({ kind: "key", key: ofText(name), size: 1, createRevision: "2", modRevision, version: "1" });

async function* pages(...all: KeyRow[][]): AsyncGenerator<KeyRow[]> {
  for (const page of all) yield await Promise.resolve(page);
}

async function found(before: Pages, after: Pages, most = 100): Promise<{ said: string[]; seen: number; steps: number }> {
  const [said, sum]: [string[], { seen: number; steps: number }] = [[], { seen: 0, steps: 0 }];
  for await (const { found: some, seen } of differences(before, after, most)) {
    said.push(...some.map(({ kind, key }) => `${kind} ${key}`));
    sum.seen += seen;
    sum.steps += 1;
  }
  return { said, ...sum };
}

test("two lists are walked side by side, whatever their pages are", async () => {
  const before = pages([row("a"), row("b")], [], [row("c"), row("d"), row("f")]);
  const after = pages([row("b", "7")], [row("c")], [row("e"), row("f")], [row("g")]);
  const told = await found(before, after);
  expect(told.said).toEqual(["deleted a", "changed b", "deleted d", "added e", "added g"]);
  expect(told.seen).toBe(7);
});

test("in the order of bytes, and not of what stands for them", async () => {
  // Percent-encoded, the second would come before the first.
  const told = await found(pages([row("k+"), row("kü")]), pages([row("k+"), row("kz"), row("kü")]));
  expect(told.said).toEqual(["added kz"]);
});

test("one of them empty, both, and steps that have an end", async () => {
  expect((await found(pages(), pages())).said).toEqual([]);
  expect((await found(pages([row("a")]), pages())).said).toEqual(["deleted a"]);
  const many = Array.from({ length: 25 }, (_, at) => row(`k${String(at).padStart(2, "0")}`));
  const told = await found(pages(), pages(many), 10);
  expect([told.said.length, told.steps]).toEqual([25, 3]);
});
