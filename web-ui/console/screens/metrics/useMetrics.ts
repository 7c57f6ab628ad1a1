// Readings, one every few seconds while somebody looks. They stay while the page is there.
import { useQuery } from "@tanstack/react-query";

import { metrics } from "../../api/metrics";
import { Store, useStore } from "../../api/store";
import { parse } from "../../model/metrics";
import { EMPTY, added } from "../../model/readings";

export const EVERY_SECONDS = 5;

const kept = new Store(EMPTY);

export function useMetrics() {
  const log = useStore(kept);
  const query = useQuery({
    queryKey: ["metrics"],
    queryFn: async ({ signal }) => {
      const { families, values, isCut } = parse(await metrics(signal));
      kept.set(added(kept.get(), Date.now() / 1_000, values));
      return { families, isCut };
    },
    // A page that is not seen asks for nothing.
    refetchInterval: EVERY_SECONDS * 1_000,
    refetchIntervalInBackground: false,
    structuralSharing: false,
    staleTime: 0,
  });
  return { ...query, log };
}
