// How the cluster is, kept as it is told. When nobody tells any more, the last that was told stays, and says since when it is old.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { type Overview, type Sample, followOverview, followSamples, overview, samples } from "../../api/overview";

const KEY = ["overview"];

export function useOverview() {
  const queries = useQueryClient();
  const query = useQuery({ queryKey: KEY, queryFn: ({ signal }) => overview(signal), staleTime: 0 });
  useEffect(() => followOverview((told) => queries.setQueryData<Overview>(KEY, told)), [queries]);
  return query;
}

const SAMPLES = ["samples"];
/** As many as an hour has. */
const MOST_SAMPLES = 720;

export function useSamples() {
  const queries = useQueryClient();
  const query = useQuery({ queryKey: SAMPLES, queryFn: ({ signal }) => samples(signal), staleTime: Number.POSITIVE_INFINITY, gcTime: 0 });
  const isThere = query.isSuccess;
  useEffect(() => {
    if (!isThere) return undefined;
    const last = queries.getQueryData<Sample[]>(SAMPLES)?.at(-1)?.time;
    return followSamples(last, (sample) =>
      queries.setQueryData<Sample[]>(SAMPLES, (before = []) =>
        (before.at(-1)?.time ?? "") < sample.time ? [...before.slice(1 - MOST_SAMPLES), sample] : before,
      ),
    );
  }, [queries, isThere]);
  return query;
}
