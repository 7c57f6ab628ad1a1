import { expect, test } from "vitest";

import { MOST_SERIES, matches, parse } from "./metrics";
import { EMPTY, MOST_READINGS, added, last, quantile, rates, spread, spreads, sums } from "./readings";

const TEXT = `# HELP http_requests_total Requests, by \\\\ and\\nmethod.
# TYPE http_requests_total counter
http_requests_total{method="get",path="/a\\"b}\\\\n"} 3
http_requests_total{method="put",path=""} 4 1712345678000
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{op="x",le="0.1"} 1
took_seconds_bucket{op="x",le="1"} 3
took_seconds_bucket{op="x",le="+Inf"} 4
took_seconds_sum{op="x"} 2.5
took_seconds_count{op="x"} 4
# TYPE temperature gauge
temperature -1.5e3
nothing_said_total 7
# TYPE odd_count gauge
odd_count NaN
# TYPE empty gauge
garbage {
`;

test("families with their series, of whatever type", () => {
  const { families, values, isCut } = parse(TEXT);
  expect(isCut).toBe(false);
  expect(families.map(({ name, type, series }) => [name, type, series.length])).toEqual([
    ["http_requests_total", "counter", 2], ["took_seconds", "histogram", 1], ["temperature", "gauge", 1], ["nothing_said_total", "untyped", 1], ["odd_count", "gauge", 1],
  ]);
  expect(families[0]).toMatchObject({ help: "Requests, by \\ and method.", series: [{ labels: [["method", "get"], ["path", '/a"b}\\n']] }, {}] });
  const [histogram] = families[1]?.series ?? [];
  expect(histogram).toMatchObject({ id: 'took_seconds_count{op="x"}', labels: [["op", "x"]] });
  expect(histogram?.buckets.map(({ le }) => le)).toEqual([0.1, 1, Number.POSITIVE_INFINITY]);
  expect(values.get("temperature")).toBe(-1500);
  expect(values.get('http_requests_total{method="put",path=""}')).toBe(4);
});

test("it is bounded, and found by words", () => {
  const many = Array.from({ length: MOST_SERIES + 5 }, (_, at) => `x{a="${at}"} 1`).join("\n");
  expect(parse(many)).toMatchObject({ isCut: true });
  expect(parse(many).values.size).toBe(MOST_SERIES);
  const [family] = parse(TEXT).families;
  expect(family && [matches(family, "HTTP method"), matches(family, ""), matches(family, "grpc")]).toEqual([true, true, false]);
  expect(parse("")).toEqual({ families: [], values: new Map(), isCut: false });
});

test("readings are kept for so long, and series may come and go", () => {
  let log = EMPTY;
  for (let at = 0; at < MOST_READINGS + 10; at += 1) log = added(log, at * 5, new Map([["a", at], ...(at > 125 ? [["b", 1] as const] : [])]));
  expect([log.times.length, log.rows.length, log.times[0]]).toEqual([MOST_READINGS, MOST_READINGS, 50]);
  expect(sums(log, ["a", "b"]).slice(-5)).toEqual([125, 127, 128, 129, 130]);
  expect(sums(log, ["nobody"]).at(-1)).toBeNull();
  expect(last(rates(log.times, sums(log, ["a"])))).toBeCloseTo(0.2);
});

test("rates: the first says nothing, and neither does what begins anew", () => {
  expect(rates([0, 5, 10, 15, 20], [10, 20, 0, 5, null])).toEqual([null, 2, null, 1, null]);
});

test("quantiles, as exact as buckets are", () => {
  const buckets = [{ le: 1, count: 10 }, { le: 2, count: 20 }, { le: 4, count: 20 }, { le: Number.POSITIVE_INFINITY, count: 40 }];
  expect(quantile(0.125, buckets)).toBe(0.5);
  expect(quantile(0.5, buckets)).toBe(2);
  expect(quantile(0.375, buckets)).toBe(1.5);
  // Beyond the last edge no more is known than that.
  expect(quantile(0.99, buckets)).toBe(4);
  expect(quantile(0.5, [{ le: 1, count: 0 }])).toBeUndefined();
  expect(quantile(0.5, [])).toBeUndefined();
});

test("the spread of a histogram is of these minutes, or of all where nothing was counted in them", () => {
  const { families, values } = parse(TEXT);
  const histogram = families.find(({ name }) => name === "took_seconds");
  if (!histogram) throw new Error("no histogram");
  let log = added(EMPTY, 0, values);
  expect(spread(log, histogram)).toMatchObject({ isOfAll: true, half: 0.55 });
  const more = new Map(values);
  for (const le of ["1", "+Inf"]) more.set(`took_seconds_bucket{op="x",le="${le}"}`, (values.get(`took_seconds_bucket{op="x",le="${le}"}`) ?? 0) + 2);
  log = added(log, 5, more);
  expect(spread(log, histogram)).toMatchObject({ isOfAll: false, half: 0.55 });
  expect(spreads(log, histogram).half).toEqual([null, 0.55]);
});
