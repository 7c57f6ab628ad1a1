// The same as a command: for a shell, with nothing in it that it would read otherwise.
import { type Key, textOf, toBytes } from "./keys";

/** What a shell takes for one word. */
export function quoted(text: string): string {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(text)) {
    const escaped = text.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
    // eslint-disable-next-line no-control-regex
    return `$'${escaped.replaceAll("\n", "\\n").replaceAll("\t", "\\t").replace(/[\u0000-\u001f\u007f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`)}'`;
  }
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Any bytes as one word, those that are no text as escapes that bash, zsh and ksh read. */
export function quotedBytes(bytes: Uint8Array): string {
  const text = textOf(bytes);
  if (text !== undefined && !text.includes("\0")) return quoted(text);
  return `$'${[...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}'`;
}

export function quotedKey(key: Key): string {
  return quotedBytes(toBytes(key));
}

export interface Curl {
  url: string;
  method?: string;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
}

export function curl({ url, method = "GET", headers = {}, body }: Curl): string {
  const parts = ["curl", "-s"];
  if (method !== "GET") parts.push("-X", method);
  for (const [name, value] of Object.entries(headers)) parts.push("-H", quoted(`${name}: ${value}`));
  if (body !== undefined) parts.push("--data-binary", typeof body === "string" ? quoted(body) : quotedBytes(body));
  return [...parts, quoted(url)].join(" ");
}

/** Where a server is, for etcdctl; nothing to say where it looks by itself. */
export function etcdctl(endpoint: string, words: string): string {
  const isUsual = endpoint === "http://localhost:2379" || endpoint === "http://127.0.0.1:2379";
  return isUsual ? `etcdctl ${words}` : `etcdctl --endpoints ${quoted(endpoint)} ${words}`;
}
