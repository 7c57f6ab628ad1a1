// Three texts in one: what only one side has changed is taken, what both have changed is for somebody to choose. It goes by `diff`,
// whose search is bounded: texts of many equal lines, over which a search for the longest of all sequences sits for minutes, are no
// exception.
import { diffLines } from "./diff";

export type Side = "theirs" | "mine";

export interface Same {
  kind: "same";
  lines: string[];
}

/** What one side has changed, or both in the same way. */
export interface Taken {
  kind: "taken";
  by: Side | "both";
  base: string[];
  lines: string[];
}

/** What both have changed, and not in the same way. */
export interface Conflict {
  kind: "conflict";
  /** The first line of it in `base`, from 1 on. */
  from: number;
  base: string[];
  theirs: string[];
  mine: string[];
}

export type Region = Same | Taken | Conflict;

/** What is taken where both have changed something: one of them, or theirs and mine behind it. */
export type Choice = Side | "both";

/** Lines of the base, and what stands in their place. */
interface Hunk {
  side: Side;
  from: number;
  to: number;
  lines: string[];
}

/** The regions of a merge, in order. */
export function merge(base: string, theirs: string, mine: string): Region[] {
  const old = base.split("\n");
  const hunks = [...hunksOf(old, theirs, "theirs"), ...hunksOf(old, mine, "mine")].sort((one, other) => one.from - other.from || one.to - other.to);
  const regions: Region[] = [];
  let at = 0;
  for (const group of groups(hunks)) {
    const from = Math.min(...group.map((hunk) => hunk.from));
    const to = Math.max(...group.map((hunk) => hunk.to));
    if (from > at) regions.push({ kind: "same", lines: old.slice(at, from) });
    regions.push(regionOf(group, old, from, to));
    at = to;
  }
  if (at < old.length) regions.push({ kind: "same", lines: old.slice(at) });
  return regions;
}

function hunksOf(base: readonly string[], text: string, side: Side): Hunk[] {
  const hunks: Hunk[] = [];
  let [at, open]: [number, Hunk | undefined] = [0, undefined];
  for (const { change, text: line } of diffLines(base, text.split("\n"))) {
    if (change === "same") {
      [at, open] = [at + 1, undefined];
      continue;
    }
    if (!open) hunks.push((open = { side, from: at, to: at, lines: [] }));
    if (change === "added") open.lines.push(line);
    else open.to = at += 1;
  }
  return hunks;
}

/** Hunks that overlap or touch: between changes of two there has to be a line that neither of them has changed. */
function groups(hunks: readonly Hunk[]): Hunk[][] {
  const all: Hunk[][] = [];
  let end = -1;
  for (const hunk of hunks) {
    if (all.length > 0 && hunk.from <= end) all.at(-1)?.push(hunk);
    else all.push([hunk]);
    end = Math.max(end, hunk.to);
  }
  return all;
}

function regionOf(group: readonly Hunk[], old: readonly string[], from: number, to: number): Region {
  const base = old.slice(from, to);
  const of = (side: Side): string[] => {
    const lines: string[] = [];
    let at = from;
    for (const hunk of group.filter((each) => each.side === side)) {
      lines.push(...old.slice(at, hunk.from), ...hunk.lines);
      at = hunk.to;
    }
    return [...lines, ...old.slice(at, to)];
  };
  const [theirs, mine] = [of("theirs"), of("mine")];
  const sides = new Set(group.map(({ side }) => side));
  if (sides.size === 1) return { kind: "taken", by: sides.has("mine") ? "mine" : "theirs", base, lines: sides.has("mine") ? mine : theirs };
  if (isSame(theirs, mine)) return { kind: "taken", by: "both", base, lines: mine };
  return { kind: "conflict", from: from + 1, base, theirs, mine };
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, at) => line === other[at]);
}

/** The text of a merge: `choices` are those of its conflicts, in their order. What is not chosen yet is as it was. */
export function resolved(regions: readonly Region[], choices: readonly (Choice | undefined)[]): string {
  let at = 0;
  const lines = regions.flatMap((region) => {
    if (region.kind !== "conflict") return region.lines;
    const choice = choices[at++];
    if (choice === undefined) return region.base;
    return choice === "both" ? [...region.theirs, ...region.mine] : region[choice];
  });
  return lines.join("\n");
}
