// Keys and prefixes are bytes. Here, and in addresses, they are written as in the path of a URL: what is not plain ASCII is
// percent-encoded, byte by byte, so that each has one spelling and none is lost that is not UTF-8.

export type Key = string;

/** How the API names a key or a prefix: as text, or in base64 where it is none. */
export interface Named {
  key?: string | undefined;
  key_b64?: string | undefined;
}

const PLAIN = /[A-Za-z0-9\-._~/!$&'()*+,;=:@[\]{}|^<>"` ]/;
// A space, quotes and the like are kept out of addresses that people copy.
const SAFE = /[A-Za-z0-9\-._~/!$'()*+,;=:@]/;

export function ofBytes(bytes: Uint8Array): Key {
  let key = "";
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    key += byte < 0x80 && SAFE.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return key;
}

export function ofText(text: string): Key {
  return ofBytes(new TextEncoder().encode(text));
}

export function ofNamed(named: Named): Key {
  return named.key_b64 === undefined ? ofText(named.key ?? "") : ofBytes(bytesOfBase64(named.key_b64));
}

/** The key of an address that somebody may have typed: in any spelling. */
export function ofAddress(address: string): Key {
  return ofBytes(toBytes(address));
}

export function toBytes(key: Key): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < key.length; ) {
    const code = key[at] === "%" ? /^[0-9A-Fa-f]{2}/.exec(key.slice(at + 1, at + 3))?.[0] : undefined;
    if (code !== undefined) {
      bytes.push(Number.parseInt(code, 16));
      at += 3;
    } else {
      const char = String.fromCodePoint(key.codePointAt(at) ?? 0);
      bytes.push(...new TextEncoder().encode(char));
      at += char.length;
    }
  }
  return new Uint8Array(bytes);
}

/** The text of bytes; nothing where they are none. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A key as people read it: what cannot be seen is written as an escape. */
export function show(key: Key): string {
  const bytes = toBytes(key);
  const text = textOf(bytes);
  if (text !== undefined) return Array.from(text, (char) => (isSeen(char) ? char : escaped(char))).join("");
  const shown = [...bytes].map((byte) => {
    const char = String.fromCharCode(byte);
    return byte < 0x80 && PLAIN.test(char) ? char : `\\x${hex(byte)}`;
  });
  return shown.join("");
}

function isSeen(char: string): boolean {
  return !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(char);
}

function escaped(char: string): string {
  return [...new TextEncoder().encode(char)].map((byte) => `\\x${hex(byte)}`).join("");
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

/** How the API takes any key: in base64, with the alphabet of addresses. */
export function base64(key: Key): string {
  return base64OfBytes(toBytes(key)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function base64OfBytes(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}

export function bytesOfBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}

/** What stands between levels unless something else is wished for. */
export const SLASH: Key = "/";

/** The prefixes that lead to a key, the shortest first: `a/`, `a/b/` for `a/b/c`. */
export function levels(key: Key, by: Key = SLASH): Key[] {
  const all: Key[] = [];
  for (let at = key.indexOf(by); at >= 0; at = key.indexOf(by, at + by.length)) all.push(key.slice(0, at + by.length));
  return all;
}

/** The prefix that a key, or a prefix, is listed below. */
export function parent(key: Key, by: Key = SLASH): Key {
  const at = (key.endsWith(by) ? key.slice(0, -by.length) : key).lastIndexOf(by);
  return at < 0 ? "" : key.slice(0, at + by.length);
}

/** In the order of the store. */
export function compare(one: Key, other: Key): number {
  const [left, right] = [toBytes(one), toBytes(other)];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
