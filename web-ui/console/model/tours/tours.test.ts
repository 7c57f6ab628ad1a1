import { expect, test } from "vitest";

import { parse } from "../query/parse";
import { filled, isExpected, prefixOf, taken } from "./step";
import { TOURS } from "./tours";

test("each step is a call that stays below its prefix, and each tour cleans up", () => {
  for (const tour of TOURS) {
    const known: Record<string, string> = {};
    for (const step of tour.steps) {
      const { call, missing } = filled(step.call, known);
      expect(missing, step.title).toEqual([]);
      const told = parse(call);
      if ("wrong" in told) throw new Error(`${tour.id}, ${step.title}: ${told.wrong}`);
      if (told.call.changes && !told.call.path.startsWith("/v3/leases")) expect(told.call.path, step.title).toContain(prefixOf(tour));
      if (step.takes) known[step.takes.name] = "7";
    }
    expect(tour.steps.at(-1)?.call).toBe(`DELETE /v3/keys?prefix=${prefixOf(tour)}`);
  }
  expect(new Set(TOURS.map(({ id }) => id)).size).toBe(TOURS.length);
});

test("what is taken of an answer, and what is not known yet", () => {
  const step = { title: "", about: "", call: "GET /{lease}", takes: { name: "lease", from: /"id": ?"(\d+)"/ } };
  expect(taken(step, '{"id":"12"}')).toEqual({ lease: "12" });
  expect(taken(step, "{}")).toEqual({});
  expect(filled("GET /{lease}/{constructor} {\"a\": 1}", { lease: "12" })).toEqual({ call: 'GET /12/{constructor} {"a": 1}', missing: ["constructor"] });
  expect([isExpected(step, 200), isExpected(step, 404), isExpected({ ...step, status: 404 }, 404), isExpected({ ...step, status: 204 }, undefined)]).toEqual([true, false, true, false]);
});
