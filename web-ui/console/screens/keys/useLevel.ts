// The rows of a level, page by page as one scrolls, and kept as they are in the store: what changes is put where it belongs,
// without asking for the list again. Where that cannot be, it is asked for anew, and what is seen stays until it has come.
import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef } from "react";

import { type Page, type Search, list } from "../../api/keys";
import { Problem } from "../../api/problem";
import { watch } from "../../api/watch";
import type { Key } from "../../model/keys";
import { Later } from "../../model/later";
import { type Change, pagesAfter } from "../../model/rows";

/** Rows that are not loaded yet and have changed: after more, the list begins anew. */
const MOST_LATER = 5_000;

type Pages = InfiniteData<Page, string | undefined>;

interface Changes {
  /** The revision that all pages are of. */
  of: string;
  later: Later;
  /** What came while a page was asked for: it would be lost to the pages that are there by then. */
  waiting: Change[];
  /** They were too many to wait. */
  isMissed: boolean;
}

const none = (prefix: Key, by: Key, of: string): Changes => ({ of, later: new Later(prefix, by), waiting: [], isMissed: false });

export function useLevel(prefix: Key, by: Key, search: Search | undefined) {
  const queries = useQueryClient();
  const queryKey = useMemo(() => ["keys", "level", prefix, by, search], [prefix, by, search]);
  const changes = useRef<Changes>(none(prefix, by, ""));

  const query = useInfiniteQuery({
    queryKey,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const page = await list(prefix, search, pageParam, signal, by);
      if (changes.current.of !== page.revision) changes.current = none(prefix, by, page.revision);
      return changes.current.later.appliedTo(page);
    },
    getNextPageParam: (page) => page.next,
    // It is kept by the changes. Anew, all pages would be asked for.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const { data, error, isFetching } = query;
  const revision = data?.pages[0]?.revision;

  /** All pages once more; until they are there, those that are there stay, and so does where one is among them. */
  const anew = useCallback(() => void queries.refetchQueries({ queryKey }), [queries, queryKey]);
  const flush = useCallback((): void => {
    const { waiting, later, isMissed } = changes.current;
    if (queries.getQueryState(queryKey)?.fetchStatus === "fetching") {
      if (waiting.length > MOST_LATER) Object.assign(changes.current, { waiting: [], isMissed: true });
      return;
    }
    if (isMissed) {
      changes.current.isMissed = false;
      anew();
      return;
    }
    if (waiting.length === 0) return;
    changes.current.waiting = [];
    queries.setQueryData<Pages>(queryKey, (old) => {
      if (!old) return old;
      const pages = waiting.reduce((now, change) => pagesAfter(now, prefix, change, by), old.pages);
      const [end] = pages.slice(-1);
      const last = pages.findLast(({ rows }) => rows.length > 0)?.rows.at(-1)?.key;
      if (end?.next !== undefined) for (const change of waiting) later.add(change, last);
      return { ...old, pages };
    });
    if (later.size > MOST_LATER) anew();
  }, [queries, queryKey, prefix, by, anew]);

  useEffect(() => {
    if (revision === undefined || search) return undefined;
    // All that is told from here on is behind the pages.
    Object.assign(changes.current, { waiting: [], isMissed: false });
    return watch({ prefix, after: revision }, {
      changed: (seen) => {
        changes.current.waiting.push(...seen);
        flush();
      },
      lost: anew,
    });
  }, [prefix, search, revision, flush, anew]);
  useEffect(() => { if (!isFetching) flush(); }, [isFetching, flush]);

  // The revision of the first page is known no longer, so there is no next one.
  const isOld = error instanceof Problem && error.status === 410;
  useEffect(() => { if (isOld) anew(); }, [isOld, anew]);

  const rows = useMemo(() => data?.pages.flatMap((page) => page.rows) ?? [], [data]);
  return { ...query, rows };
}
