import { useQuery } from "@tanstack/react-query";

import { one } from "../../api/leases";

/** How often what is left is set right: somebody may have renewed it. */
const EVERY_MS = 8_000;

export function useLease(id: string) {
  return useQuery({ queryKey: ["leases", "one", id], queryFn: ({ signal }) => one(id, signal), refetchInterval: EVERY_MS });
}
