// Bytes, which JSON has as base64, and people as text.
import type { Json } from "./lossless";
import type { Schema, Spec } from "./spec";

export function toBase64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
}

/** The text that base64 stands for; undefined if it is none, or no text. */
export function fromBase64(text: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether the API takes it for bytes: either alphabet, padded or not. */
export function isBase64(text: string): boolean {
  const bare = text.replace(/={1,2}$/, "");
  return /^[\w+/-]*$/.test(bare) && bare.length % 4 !== 1;
}

/** Where all keys with a prefix end, as `range_end` has it. */
export function prefixEnd(base64: string): string {
  const bytes = Array.from(atob(base64), (char) => char.charCodeAt(0));
  while (bytes.length > 0 && bytes[bytes.length - 1] === 255) bytes.pop();
  const [end] = bytes.splice(-1);
  return end === undefined ? "AA==" : btoa(String.fromCharCode(...bytes, end + 1));
}

export interface BytesField {
  path: (string | number)[];
  base64: string;
  description: string;
}

/** All bytes of a message, those of its own that are not there yet included. */
export function bytesOf(spec: Spec, json: Json, schema: Schema | undefined): BytesField[] {
  const found: BytesField[] = [];
  const walk = (value: Json | undefined, node: Schema | undefined, path: (string | number)[]): void => {
    const target = spec.schema(node);
    if (target.contentEncoding === "base64") {
      const text = value?.kind === "text" && value.text.startsWith('"') ? (JSON.parse(value.text) as string) : "";
      found.push({ path, base64: text, description: target.description ?? node?.description ?? "" });
    } else if (value?.kind === "list") {
      value.items.forEach((item, at) => walk(item, target.items, [...path, at]));
    } else if (value?.kind === "object") {
      const given = new Map(value.fields);
      for (const [name, field] of Object.entries(target.properties ?? {})) {
        const isBytes = spec.schema(field).contentEncoding === "base64";
        if (given.has(name) || (isBytes && path.length === 0)) walk(given.get(name), field, [...path, name]);
      }
    }
  };
  walk(json, schema, []);
  return found;
}
