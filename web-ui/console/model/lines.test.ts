import { expect, test } from "vitest";

import { ageOf, lineOf, linesOf } from "./lines";

test("who stands in a line has a key that is called as his lease is", () => {
  expect(lineOf({ key: "jobs/nightly/694d71ddacfda227", lease: "7587846144093168167" })).toBe("jobs/nightly");
  expect(lineOf({ key: "jobs/nightly/ff", lease: "254" })).toBeUndefined();
  expect(lineOf({ key: "here/m1", lease: "255" })).toBeUndefined();
  expect(lineOf({ key: "ff", lease: "255" })).toBeUndefined();
  expect(lineOf({ key: "a/ff" })).toBeUndefined();
  expect(linesOf([{ key: "a/1", lease: "1" }, { key: "b/2", lease: "2" }, { key: "a/3", lease: "3" }, { key: "x" }])).toEqual([
    { name: "a", count: 2 },
    { name: "b", count: 1 },
  ]);
});

test("an age is as exact as samples are, and says where it may be more", () => {
  const samples = [{ time: 10_000, revision: 5n }, { time: 20_000, revision: 9n }];
  expect(ageOf(samples, 7n, 30_000)).toEqual({ seconds: 10, isMore: false });
  expect(ageOf(samples, 3n, 30_000)).toEqual({ seconds: 20, isMore: true });
  expect(ageOf(samples, 10n, 30_000)).toEqual({ seconds: 0, isMore: false });
  expect(ageOf([], 10n, 30_000)).toBeUndefined();
});
