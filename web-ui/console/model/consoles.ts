// Consoles of other servers: where a browser finds those of the members, and those that somebody keeps. A page calls its own server
// alone; to others it only leads.

/** One that somebody keeps; its address ends with `/ui/`. */
export interface Kept {
  name: string;
  url: string;
}

export const MOST = 30;
export const MOST_NAME = 40;
const MOST_LETTERS = 500;

/** The address of a console: of that of its server, or of any of its pages. */
export function consoleAt(text: string): { url: string } | { why: string } {
  const url = parsed(text.trim());
  if (!url) return { why: "An address is http://HOST:PORT, or https, and the path that a proxy has put before it." };
  if (url.username !== "" || url.password !== "") return { why: "There is a name or a password in it, which the browser is no place for." };
  if (url.search !== "") return { why: "It ends before the question mark: what is behind it may be a secret." };
  const path = url.pathname.replace(/\/+$/, "");
  const whole = `${url.origin}${path.endsWith("/ui") ? path : `${path}/ui`}/`;
  return whole.length > MOST_LETTERS ? { why: `It is longer than ${MOST_LETTERS} letters, which is what is kept of one.` } : { url: whole };
}

function parsed(text: string): URL | undefined {
  if (!/^https?:\/\/[^/]/i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text);
}

/** Why one is not for keeping. */
export function complaintOf(all: readonly Kept[], name: string, address: string): string | undefined {
  const at = consoleAt(address);
  if ("why" in at) return at.why;
  if (name.trim() === "") return "It needs a name.";
  if (name.trim().length > MOST_NAME) return `A name has up to ${MOST_NAME} letters.`;
  const twin = all.find(({ url }) => url === at.url);
  if (twin && twin.name !== name.trim()) return `It is kept as ${twin.name}.`;
  if (all.length >= MOST && !named(all, name)) return `There are ${MOST}, and that is all there may be: take one away first.`;
  return undefined;
}

export function named(all: readonly Kept[], name: string): Kept | undefined {
  return all.find((each) => each.name === name.trim());
}

/** With one more, or with another one of its name, in the order of names; the same if there is something against it. */
export function kept(all: readonly Kept[], name: string, address: string): readonly Kept[] {
  const at = consoleAt(address);
  if ("why" in at || complaintOf(all, name, address) !== undefined) return all;
  return [...without(all, name.trim()), { name: name.trim(), url: at.url }].sort((a, b) => a.name.localeCompare(b.name));
}

export function without(all: readonly Kept[], name: string): Kept[] {
  return all.filter((each) => each.name !== name);
}

/** Those of a text, which a browser has kept or a file has in it, after those that there are: what is no console is left out, and counted. */
export function read(text: string | null, all: readonly Kept[] = []): { all: readonly Kept[]; leftOut: number } {
  let told: unknown;
  try {
    told = JSON.parse(text ?? "[]");
  } catch {
    told = undefined;
  }
  if (!Array.isArray(told)) return { all, leftOut: 1 };
  return (told as unknown[]).reduce<{ all: readonly Kept[]; leftOut: number }>((so, each) => {
    const { name, url } = (each ?? {}) as Partial<Record<keyof Kept, unknown>>;
    if (typeof name !== "string" || typeof url !== "string" || complaintOf(so.all, name, url) !== undefined) return { ...so, leftOut: so.leftOut + 1 };
    return { ...so, all: kept(so.all, name, url) };
  }, { all, leftOut: 0 });
}

/** The console of a member, by the first of its URLs at which a browser that has opened the page `here` finds it; or why there is none. */
export function ofMember(urls: readonly string[], here: string): { url: string } | { why: string } {
  const own = new URL(here);
  const all = urls.flatMap((url) => parsed(url) ?? []);
  const [first] = all;
  if (!first) return { why: urls.length === 0 ? "It has not said where it is." : "Its addresses are not for browsers." };
  const found = all.find((url) => obstacleOf(url, own) === undefined);
  if (found) return consoleAt(found.href);
  return { why: obstacleOf(first, own) ?? "" };
}

function obstacleOf(url: URL, own: URL): string | undefined {
  if (isUnspecified(url.hostname)) return `It says ${url.host}, which is nowhere: --advertise-client-urls tells where it is.`;
  if (isLoopback(url.hostname) && !isLoopback(own.hostname)) return `It says ${url.host}, which is the machine that the browser is on.`;
  if (url.origin === own.origin) return `It says ${url.host}, as this page does: who answers there is not for the browser to choose.`;
  return undefined;
}

function isUnspecified(host: string): boolean {
  return host === "0.0.0.0" || host === "[::]";
}

function isLoopback(host: string): boolean {
  return host === "[::1]" || /^127(\.\d+){3}$/.test(host) || /(^|\.)localhost$/.test(host);
}

/** What is behind the `#/` for another cluster: the same without revisions, which are of this one's history. */
export function elsewhere(hash: string): string {
  const [path = "", query = ""] = hash.split(/\?(.*)/s);
  const said = new URLSearchParams(query);
  for (const revision of ["rev", "from", "to"]) said.delete(revision);
  return said.size > 0 ? `${path}?${said}` : path;
}
