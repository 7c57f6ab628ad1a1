// Where one is in the console: what stands behind the `#` of the address. A server never sees it, so any path before it will do.
import { useSyncExternalStore } from "react";

export interface Route {
  screen: string;
  /** What is behind the screen, percent-encoded as it stands. */
  rest: string;
  query: URLSearchParams;
}

/** The place that is open, as it stands in the address behind `#/`. */
export function here(): string {
  // Not `location.hash`, of which Firefox decodes a part.
  return /#\/?(.*)$/s.exec(window.location.href)?.[1] ?? "";
}

function subscribe(told: () => void): () => void {
  window.addEventListener("hashchange", told);
  return () => window.removeEventListener("hashchange", told);
}

export function parse(address: string): Route {
  const [path = "", query = ""] = address.split(/\?(.*)/s);
  const [screen = "", rest = ""] = path.split(/\/(.*)/s);
  return { screen, rest, query: new URLSearchParams(query) };
}

export function useRoute(): Route {
  return parse(useSyncExternalStore(subscribe, here));
}

/** The address of a place, for links. */
export function link(screen: string, rest = "", query: Record<string, string | undefined> = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "");
  const search = new URLSearchParams(given).toString();
  return `#/${screen}${rest ? `/${rest}` : ""}${search ? `?${search}` : ""}`;
}

export function go(to: string, { replace = false } = {}): void {
  if (replace) {
    window.history.replaceState(null, "", to);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else window.location.hash = to.slice(1);
}
