// The URLs at which the others find a member, as the server takes them.

/** Those of a text, with commas between. */
export function urlsOf(text: string): string[] {
  return text.split(",").map((url) => url.trim()).filter((url) => url !== "");
}

interface Holder {
  name: string;
  peer_urls: readonly string[];
}

/** What the server would refuse them for; `others` are the members that have theirs. */
export function complaintOf(urls: readonly string[], others: readonly Holder[]): string | undefined {
  if (urls.length === 0) return "A member has one URL at least.";
  for (const url of urls) {
    if (!isUrl(url)) return `${url} is no peer URL: that is http://HOST:PORT, or https, with nothing behind the port; or unix:// with a name.`;
    const holder = others.find(({ peer_urls: theirs }) => theirs.includes(url));
    if (holder) return `${url} is where ${holder.name || "another member"} is.`;
  }
  return undefined;
}

function isUrl(url: string): boolean {
  if (/^unixs?:\/\/./i.test(url)) return true;
  const port = /^https?:\/\/(?:\[[0-9a-f:.%]+\]|[^\s/?#[\]\\:]+):(\d{1,5})$/i.exec(url)?.[1];
  return port !== undefined && Number(port) <= 65_535;
}
