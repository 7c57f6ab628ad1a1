// The screens, in the order of the navigation. A screen is a folder here, and its entry below: nothing else names it.
import { type ComponentType, lazy } from "react";

import type { IconName } from "../parts/Icon";
import type { Route } from "../parts/route";

export interface Screen {
  /** The first part of its address. */
  id: string;
  title: string;
  icon: IconName;
  /** Goes there, after `g`. */
  key: string;
  view: ComponentType<{ route: Route }>;
}

/** Its title within a sentence. */
export function inSentence(title: string): string {
  return title === title.toUpperCase() ? title : title.toLowerCase();
}

export const screens: readonly Screen[] = [
  { id: "overview", title: "Overview", icon: "overview", key: "o", view: lazy(() => import("./overview/Overview")) },
  { id: "keys", title: "Keys", icon: "keys", key: "k", view: lazy(() => import("./keys/Keys")) },
  { id: "watch", title: "Watch", icon: "watch", key: "w", view: lazy(() => import("./watch/Watch")) },
  { id: "diff", title: "Differences", icon: "diff", key: "d", view: lazy(() => import("./diff/Differences")) },
  { id: "leases", title: "Leases", icon: "clock", key: "l", view: lazy(() => import("./leases/Leases")) },
  { id: "locks", title: "Locks", icon: "lock", key: "x", view: lazy(() => import("./locks/Locks")) },
  { id: "members", title: "Members", icon: "members", key: "m", view: lazy(() => import("./members/Members")) },
  { id: "metrics", title: "Metrics", icon: "metrics", key: "t", view: lazy(() => import("./metrics/Metrics")) },
  { id: "warnings", title: "Warnings", icon: "alert", key: "e", view: lazy(() => import("./warnings/Warnings")) },
  { id: "users", title: "Users and roles", icon: "users", key: "u", view: lazy(() => import("./users/Users")) },
  { id: "backup", title: "Backup", icon: "backup", key: "b", view: lazy(() => import("./backup/Backup")) },
  { id: "console", title: "Console", icon: "console", key: "c", view: lazy(() => import("./console/Console")) },
  { id: "explorer", title: "API", icon: "book", key: "a", view: lazy(() => import("./explorer/Explorer")) },
  { id: "learn", title: "Learn", icon: "learn", key: "n", view: lazy(() => import("./learn/Learn")) },
];
