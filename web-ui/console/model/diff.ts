// What has changed between two texts, line by line (Myers).

export interface Line {
  change: "same" | "added" | "removed";
  text: string;
}

/** Differences beyond so many are not looked for: the texts have little to do with each other, and the search takes the square of them. */
const MOST_DIFFERENCES = 500;

export function diff(before: string, after: string): Line[] {
  return diffLines(linesOf(before), linesOf(after));
}

/** Nothing has no lines, rather than an empty one. */
function linesOf(text: string): string[] {
  return text === "" ? [] : text.split("\n");
}

export function diffLines(old: readonly string[], now: readonly string[]): Line[] {
  let head = 0;
  while (head < Math.min(old.length, now.length) && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(old.length, now.length) - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const same = (texts: readonly string[]): Line[] => texts.map((text) => ({ change: "same", text }));
  return [
    ...same(old.slice(0, head)),
    ...middle(old.slice(head, old.length - tail), now.slice(head, now.length - tail)),
    ...same(old.slice(old.length - tail)),
  ];
}

function middle(old: string[], now: string[]): Line[] {
  const trail: Map<number, number>[] = [];
  let ends = new Map<number, number>([[1, 0]]);
  for (let steps = 0; steps <= Math.min(old.length + now.length, MOST_DIFFERENCES); steps += 1) {
    trail.push(ends);
    ends = new Map(ends);
    for (let way = -steps; way <= steps; way += 2) {
      let x = startOf(ends, way, steps);
      while (x < old.length && x - way < now.length && old[x] === now[x - way]) x += 1;
      ends.set(way, x);
      if (x >= old.length && x - way >= now.length) return walkedBack(trail, old, now);
    }
  }
  const all = (change: Line["change"], texts: string[]): Line[] => texts.map((text) => ({ change, text }));
  return [...all("removed", old), ...all("added", now)];
}

function startOf(ends: Map<number, number>, way: number, steps: number): number {
  const [below, above] = [ends.get(way - 1) ?? -1, ends.get(way + 1) ?? -1];
  return way === -steps || (way !== steps && below < above) ? above : below + 1;
}

function walkedBack(trail: Map<number, number>[], old: string[], now: string[]): Line[] {
  const lines: Line[] = [];
  let [x, y] = [old.length, now.length];
  for (let steps = trail.length - 1; steps >= 0; steps -= 1) {
    const ends = trail[steps] ?? new Map<number, number>();
    const way = x - y;
    const [below, above] = [ends.get(way - 1) ?? -1, ends.get(way + 1) ?? -1];
    const isAdded = way === -steps || (way !== steps && below < above);
    const fromX = steps === 0 ? 0 : isAdded ? above : below;
    const fromY = steps === 0 ? 0 : fromX - (isAdded ? way + 1 : way - 1);
    for (; x > fromX && y > fromY; x -= 1, y -= 1) lines.push({ change: "same", text: old[x - 1] ?? "" });
    if (steps === 0) break;
    lines.push(isAdded ? { change: "added", text: now[y - 1] ?? "" } : { change: "removed", text: old[x - 1] ?? "" });
    [x, y] = [fromX, fromY];
  }
  return lines.reverse();
}

/** Stretches that are the same are left out but for some lines around what is not. */
export function hunks(lines: readonly Line[], around = 3): (Line | { skipped: number })[] {
  const near = lines.map((_, at) => lines.slice(Math.max(0, at - around), at + around + 1).some((line) => line.change !== "same"));
  const shown: (Line | { skipped: number })[] = [];
  lines.forEach((line, at) => {
    const last = shown.at(-1);
    if (near[at]) shown.push(line);
    else if (last && "skipped" in last) last.skipped += 1;
    else shown.push({ skipped: 1 });
  });
  return shown;
}
