// MessagePack, read as JSON in lines. Numbers keep all of their digits; bytes that are no text are hexadecimal.
import { decode, DecodeError, ExtData } from "@msgpack/msgpack";

import { textOf } from "./keys";
import { type Json, pretty } from "./lossless";

/** Deeper ones are of no use to who looks. */
const MOST_DEEP = 64;

/** The value, if the bytes are one map or list of MessagePack and nothing else: any byte would be a number. */
export function unpacked(bytes: Uint8Array): string | undefined {
  try {
    const value = json(decode(bytes, { useBigInt64: true, rawStrings: true, mapKeyConverter: named }), 0);
    return value.kind === "text" ? undefined : pretty(value);
  } catch (error) {
    if (error instanceof RangeError || error instanceof DecodeError) return undefined;
    throw error;
  }
}

function named(key: unknown): string {
  return key instanceof Uint8Array ? shown(key) : pretty(json(key, 0));
}

/** Throws a `RangeError` for what cannot be shown. */
function json(value: unknown, depth: number): Json {
  if (depth > MOST_DEEP) throw new RangeError("too deep");
  if (value instanceof Uint8Array) return text(shown(value));
  if (value instanceof Date) return text(value.toISOString());
  if (value instanceof ExtData) {
    const data = typeof value.data === "function" ? value.data(0) : value.data;
    return { kind: "object", fields: [["extension", { kind: "text", text: String(value.type) }], ["bytes", text(hex(data))]] };
  }
  if (Array.isArray(value)) return { kind: "list", items: value.map((item) => json(item, depth + 1)) };
  if (typeof value === "object" && value !== null) return { kind: "object", fields: Object.entries(value).map(([name, field]) => [name, json(field, depth + 1)]) };
  return { kind: "text", text: String(value) };
}

function text(value: string): Json {
  return { kind: "text", text: JSON.stringify(value) };
}

/** Of texts the decoder leaves the bytes: it would take any for UTF-8. */
function shown(bytes: Uint8Array): string {
  return textOf(bytes) ?? hex(bytes);
}

function hex(bytes: Uint8Array): string {
  return `0x${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
