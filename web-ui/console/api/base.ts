// Where the server is: one folder above the page, wherever a proxy has put both.

export const base = new URL("../", document.baseURI.replace(/#.*/s, ""));

export type Query = Record<string, string | number | boolean | undefined>;

/** The address of a path of the API (`v3/keys`). */
export function address(path: string, query: Query = {}): URL {
  const url = new URL(path.replace(/^\//, ""), base);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== false) url.searchParams.set(name, value === true ? "true" : String(value));
  }
  return url;
}

/** As it is typed elsewhere: scheme, host and port. */
export const endpoint = base.origin;
