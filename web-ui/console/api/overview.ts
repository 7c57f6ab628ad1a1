// How the cluster is, and what the asked member did of late: both live.
import { call } from "./client";
import type { components } from "./generated/schema";
import { follow } from "./live";

export type Overview = components["schemas"]["Overview"];
export type MemberState = components["schemas"]["MemberState"];
export type Sample = components["schemas"]["Sample"];

export function overview(signal?: AbortSignal, { isHelp = false } = {}): Promise<Overview> {
  return call("get", "/v3/overview", { signal, isHelp });
}

/** The overview whenever it is another one, until the function that comes back is called. */
export function followOverview(told: (overview: Overview) => void): () => void {
  return follow("v3/overview", { query: { watch: true }, on: { overview: (data) => told(data as Overview) } });
}

/** How far back the charts go at first. */
const SECONDS = 900;

export async function samples(signal?: AbortSignal): Promise<Sample[]> {
  return (await call("get", "/v3/statistics", { query: { since: SECONDS }, signal })).samples;
}

/** Samples as they are taken, those since the last one that is known first. */
export function followSamples(since: string | undefined, told: (sample: Sample) => void): () => void {
  return follow("v3/statistics", { query: { watch: true, since }, on: { sample: (data) => told(data as Sample) } });
}
