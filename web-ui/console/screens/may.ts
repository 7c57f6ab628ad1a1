// What the user of the page may do with keys. Who is not asked who he is, and root, may do all.
import { useQuery } from "@tanstack/react-query";

import { type Allowed, allowed } from "../api/access";
import { session, useIsRoot } from "../api/session";
import { useStore } from "../api/store";
import { type Range, words } from "../model/ranges";

/** All that he may; nothing where that is everything, or not known yet. */
export function useOwn(range?: Range): Allowed | undefined {
  const user = useStore(session)?.user;
  const isRoot = useIsRoot();
  const { data } = useQuery({
    queryKey: ["access", "own", user, range && words(range)],
    queryFn: ({ signal }) => allowed(user ?? "", range, signal),
    enabled: user !== undefined && !isRoot,
  });
  return isRoot ? undefined : data;
}

export interface May {
  read: boolean;
  write: boolean;
}

/** Whether he may read and write all of it. Until it is known that he may not, he may: the server has the last word. */
export function useMay(range: Range): May {
  const own = useOwn(range);
  return { read: own?.may_read !== false, write: own?.may_write !== false };
}
