// What may have been meant.

/** How many letters are to be added, left out, changed or swapped with the next. */
function distance(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, at) => at)];
  for (let y = 1; y <= one.length; y += 1) {
    const row = [y];
    for (let x = 1; x <= other.length; x += 1) {
      const same = one[y - 1] === other[x - 1] ? 0 : 1;
      let least = Math.min((rows[y - 1]?.[x] ?? 0) + 1, (row[x - 1] ?? 0) + 1, (rows[y - 1]?.[x - 1] ?? 0) + same);
      if (y > 1 && x > 1 && one[y - 1] === other[x - 2] && one[y - 2] === other[x - 1]) least = Math.min(least, (rows[y - 2]?.[x - 2] ?? 0) + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[one.length]?.[other.length] ?? 0;
}

/** The one of several that a word is most like; nothing where it is like none. */
export function nearest(word: string, all: readonly string[]): string | undefined {
  const wanted = word.slice(0, 64).toLowerCase();
  const found = all.map((each) => ({ each, far: distance(wanted, each.toLowerCase()) })).sort((a, b) => a.far - b.far)[0];
  return found && found.far <= Math.max(1, Math.floor(found.each.length / 3)) ? found.each : undefined;
}
