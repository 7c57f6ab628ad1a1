// The last warnings, kept as they come; those of before a restart stay.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { followWarnings, warnings } from "../../api/warnings";
import { type Warning, added } from "../../model/warnings";

const KEY = ["warnings"];

export function useWarnings() {
  const queries = useQueryClient();
  const query = useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }) => added(queries.getQueryData<readonly Warning[]>(KEY) ?? [], await warnings(signal)),
  });
  const isThere = query.isSuccess;
  useEffect(() => {
    if (!isThere) return undefined;
    return followWarnings((lines) => queries.setQueryData<readonly Warning[]>(KEY, (before = []) => added(before, lines)));
  }, [queries, isThere]);
  return query;
}
