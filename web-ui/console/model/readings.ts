// Readings over the last minutes: so many of them, and of each the numbers alone.
import type { Family, Series } from "./metrics";

export interface Log {
  /** In seconds since 1970. */
  times: readonly number[];
  /** The values of a reading, each at the place that its series has. */
  rows: readonly Float64Array[];
  places: ReadonlyMap<string, number>;
}

export const EMPTY: Log = { times: [], rows: [], places: new Map() };
/** Ten minutes of readings that are five seconds apart. */
export const MOST_READINGS = 120;
/** Series that have been there once and are no more; beyond, it begins anew. */
const MOST_PLACES = 40_000;

export function added(log: Log, time: number, values: ReadonlyMap<string, number>): Log {
  const places = new Map(log.places);
  for (const id of values.keys()) if (!places.has(id)) places.set(id, places.size);
  if (places.size > MOST_PLACES) return added(EMPTY, time, values);
  const row = new Float64Array(places.size).fill(Number.NaN);
  for (const [id, value] of values) row[places.get(id) ?? 0] = value;
  return { times: [...log.times, time].slice(-MOST_READINGS), rows: [...log.rows, row].slice(-MOST_READINGS), places };
}

type Values = readonly (number | null)[];

/** What several series are together, at each reading; nothing where none of them was there. */
export function sums({ rows, places }: Log, ids: readonly string[]): (number | null)[] {
  const own = ids.map((id) => places.get(id)).filter((place) => place !== undefined);
  return rows.map((row) => {
    const there = own.map((place) => row[place]).filter((value): value is number => value !== undefined && !Number.isNaN(value));
    return there.length === 0 ? null : there.reduce((sum, value) => sum + value, 0);
  });
}

export function last(values: Values): number | undefined {
  return values.at(-1) ?? undefined;
}

/** How much more it was in a second than at the reading before. What has become less has begun anew, and says nothing. */
export function rates(times: readonly number[], values: Values): (number | null)[] {
  return values.map((value, at) => {
    const [before, seconds] = [values[at - 1] ?? null, (times[at] ?? 0) - (times[at - 1] ?? 0)];
    return value === null || before === null || value < before || seconds <= 0 ? null : (value - before) / seconds;
  });
}

interface Bucket {
  le: number;
  count: number;
}

/** Below what a share of all is, as exact as the buckets are. */
export function quantile(share: number, buckets: readonly Bucket[]): number | undefined {
  const sorted = [...buckets].sort((one, other) => one.le - other.le);
  const all = sorted.at(-1)?.count ?? 0;
  if (!(all > 0)) return undefined;
  const wanted = share * all;
  const at = sorted.findIndex(({ count }) => count >= wanted);
  const [bucket, before] = [sorted[at], sorted[at - 1]];
  if (!bucket || bucket.le === Number.POSITIVE_INFINITY) return before?.le;
  const [from, below] = [before?.le ?? Math.min(0, bucket.le), before?.count ?? 0];
  return bucket.count === below ? bucket.le : from + ((bucket.le - from) * (wanted - below)) / (bucket.count - below);
}

/** The buckets of all series of a histogram together, at each reading. */
function bucketsOf(log: Log, series: readonly Series[]): { le: number; counts: (number | null)[] }[] {
  const edges = new Map<number, string[]>();
  for (const { le, id } of series.flatMap(({ buckets }) => buckets)) edges.set(le, [...(edges.get(le) ?? []), id]);
  return [...edges].map(([le, ids]) => ({ le, counts: sums(log, ids) }));
}

export interface Spread {
  half: number | undefined;
  most: number | undefined;
  /** Nothing has been counted in these minutes: it is of all since the process began. */
  isOfAll: boolean;
}

/** Half of all, and 99 of 100, of what was counted in these minutes. */
export function spread(log: Log, { series }: Family): Spread {
  const all = bucketsOf(log, series);
  const between = (from: number | undefined): Bucket[] => all.map(({ le, counts }) => ({ le, count: (counts.at(-1) ?? 0) - (from === undefined ? 0 : (counts[from] ?? 0)) }));
  const recent = between(0);
  const isOfAll = log.rows.length < 2 || !recent.some(({ count }) => count > 0) || recent.some(({ count }) => count < 0);
  const buckets = isOfAll ? between(undefined) : recent;
  return { half: quantile(0.5, buckets), most: quantile(0.99, buckets), isOfAll };
}

/** The same from each reading to the next. */
export function spreads(log: Log, { series }: Family): { half: (number | null)[]; most: (number | null)[] } {
  const all = bucketsOf(log, series);
  const at = (share: number) => log.rows.map((_, index) => {
    const more = all.map(({ le, counts }) => ({ le, count: (counts[index] ?? 0) - (counts[index - 1] ?? 0) }));
    return index === 0 || more.some(({ count }) => count < 0) ? null : (quantile(share, more) ?? null);
  });
  return { half: at(0.5), most: at(0.99) };
}
