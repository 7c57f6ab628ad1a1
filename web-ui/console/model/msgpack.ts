// MessagePack, read as JSON in lines. Numbers keep all of their digits; bytes are hexadecimal.
import { textOf } from "./keys";
import { type Json, pretty } from "./lossless";

/** Deeper ones are of no use to who looks. */
const MOST_DEEP = 64;

/** The value, if the bytes are one map or list of MessagePack and nothing else: any byte would be a number. */
export function unpacked(bytes: Uint8Array): string | undefined {
  const reader = new Reader(bytes);
  try {
    const value = reader.value(0);
    return value.kind !== "text" && reader.isAtEnd ? pretty(value) : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Throws a `RangeError` where there is no MessagePack. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): Json {
    if (depth > MOST_DEEP) throw new RangeError("too deep");
    const type = this.#number(1);
    if (type < 0x80) return plain(type);
    if (type < 0x90) return this.#map(type & 0x0f, depth);
    if (type < 0xa0) return this.#list(type & 0x0f, depth);
    if (type < 0xc0) return this.#text(type & 0x1f);
    if (type >= 0xe0) return plain(type - 0x100);
    return this.#long(type, depth);
  }

  #long(type: number, depth: number): Json {
    if (type === 0xc0) return plain("null");
    if (type === 0xc2 || type === 0xc3) return plain(type === 0xc3);
    // The lengths of lengths and numbers double from one type to the next.
    const size = (first: number): number => 1 << (type - first);
    if (type >= 0xc4 && type <= 0xc6) return quoted(hex(this.#take(this.#number(size(0xc4)))));
    if (type >= 0xc7 && type <= 0xc9) return this.#extension(this.#number(size(0xc7)));
    if (type === 0xca) return plain(this.#view.getFloat32(this.#skip(4)));
    if (type === 0xcb) return plain(this.#view.getFloat64(this.#skip(8)));
    if (type >= 0xcc && type <= 0xcf) return plain(this.#integer(size(0xcc)));
    if (type >= 0xd0 && type <= 0xd3) return plain(BigInt.asIntN(8 * size(0xd0), this.#integer(size(0xd0))));
    if (type >= 0xd4 && type <= 0xd8) return this.#extension(size(0xd4));
    if (type >= 0xd9 && type <= 0xdb) return this.#text(this.#number(size(0xd9)));
    if (type === 0xdc || type === 0xdd) return this.#list(this.#number(2 * size(0xdc)), depth);
    if (type === 0xde || type === 0xdf) return this.#map(this.#number(2 * size(0xde)), depth);
    throw new RangeError("no type");
  }

  #list(length: number, depth: number): Json {
    const items: Json[] = [];
    for (let at = 0; at < length; at += 1) items.push(this.value(depth + 1));
    return { kind: "list", items };
  }

  #map(length: number, depth: number): Json {
    const fields: [string, Json][] = [];
    for (let at = 0; at < length; at += 1) {
      const key = this.value(depth + 1);
      fields.push([key.kind === "text" && key.text.startsWith('"') ? (JSON.parse(key.text) as string) : pretty(key), this.value(depth + 1)]);
    }
    return { kind: "object", fields };
  }

  #extension(length: number): Json {
    const type = this.#view.getInt8(this.#skip(1));
    return { kind: "object", fields: [["extension", plain(type)], ["bytes", quoted(hex(this.#take(length)))]] };
  }

  #text(length: number): Json {
    const text = textOf(this.#take(length));
    if (text === undefined) throw new RangeError("no text");
    return quoted(text);
  }

  #number(size: number): number {
    return Number(this.#integer(size));
  }

  #integer(size: number): bigint {
    return this.#take(size).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  }

  #take(length: number): Uint8Array {
    const from = this.#skip(length);
    return this.#bytes.subarray(from, from + length);
  }

  #skip(length: number): number {
    if (this.#at + length > this.#bytes.length) throw new RangeError("cut off");
    this.#at += length;
    return this.#at - length;
  }
}

function plain(value: string | number | bigint | boolean): Json {
  return { kind: "text", text: String(value) };
}

function quoted(text: string): Json {
  return { kind: "text", text: JSON.stringify(text) };
}

function hex(bytes: Uint8Array): string {
  return `0x${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
