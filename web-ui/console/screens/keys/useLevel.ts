// The rows of a level, page by page as one scrolls, and kept as they are in the store: what changes is put where it belongs,
// without asking for the list again.
import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";

import { type Page, type Search, list } from "../../api/keys";
import { Problem } from "../../api/problem";
import { watch } from "../../api/watch";
import type { Key } from "../../model/keys";
import { type Change, pagesAfter } from "../../model/rows";

/** Changes that are kept for pages that are not loaded yet; after more, the list begins anew. */
const MOST_CHANGES = 5_000;

type Pages = InfiniteData<Page, string | undefined>;

export function useLevel(prefix: Key, search: Search | undefined) {
  const queries = useQueryClient();
  const queryKey = useMemo(() => ["keys", "level", prefix, search], [prefix, search]);
  /** What has changed since the revision that all pages are of. */
  const changes = useRef<{ of: string; seen: Change[] }>({ of: "", seen: [] });

  const query = useInfiniteQuery({
    queryKey,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const page = await list(prefix, search, pageParam, signal);
      if (changes.current.of !== page.revision) changes.current = { of: page.revision, seen: [] };
      return changes.current.seen.reduce((pages, change) => pagesAfter(pages, prefix, change), [page])[0] ?? page;
    },
    getNextPageParam: (page) => page.next,
    // It is kept by the changes. Anew, all pages would be asked for.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const { data, error } = query;
  const revision = data?.pages[0]?.revision;

  useEffect(() => {
    if (revision === undefined || search) return undefined;
    const anew = (): void => void queries.resetQueries({ queryKey });
    return watch({ prefix, after: revision }, {
      changed: (seen) => {
        const kept = changes.current.seen;
        kept.push(...seen);
        const isWhole = queries.getQueryData<Pages>(queryKey)?.pages.at(-1)?.next === undefined;
        if (isWhole) kept.length = 0;
        else if (kept.length > MOST_CHANGES) {
          anew();
          return;
        }
        queries.setQueryData<Pages>(queryKey, (old) =>
          old && { ...old, pages: seen.reduce((pages, change) => pagesAfter(pages, prefix, change), old.pages) },
        );
      },
      lost: anew,
    });
  }, [queries, queryKey, prefix, search, revision]);

  // The revision of the first page is known no longer, so there is no next one.
  const isOld = error instanceof Problem && error.status === 410;
  useEffect(() => {
    if (isOld) void queries.resetQueries({ queryKey });
  }, [isOld, queries, queryKey]);

  const rows = useMemo(() => data?.pages.flatMap((page) => page.rows) ?? [], [data]);
  return { ...query, rows };
}
