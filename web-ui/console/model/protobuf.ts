// Messages of protobuf without their schema: fields as they come.
import { textOf } from "./keys";

export interface Field {
  number: number;
  /** Of a number: its bytes as they are on the wire. */
  value: Uint8Array;
  isNumber: boolean;
}

/** The fields of a message; nothing if it is none. */
export function fields(bytes: Uint8Array): Field[] | undefined {
  const found: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = varint(bytes, at);
    if (!tag) return undefined;
    const number = Number(tag.value >> 3n);
    const body = bodyOf(bytes, tag.end, Number(tag.value & 7n));
    if (number === 0 || !body) return undefined;
    found.push({ number, ...body.field });
    at = body.end;
  }
  return found;
}

export type Tree = string | Tree[] | { [name: string]: Tree };

/** Fields by their numbers; those that repeat as a list. */
export function numbered(all: readonly Field[]): Record<string, Tree> {
  const tree: Record<string, Tree> = {};
  for (const field of all) {
    const name = `#${field.number}`;
    const [before, value] = [tree[name], treeOf(field)];
    tree[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  return tree;
}

function treeOf(field: Field): Tree {
  if (field.isNumber) return leaf(field);
  const text = textOf(field.value);
  // Text that can be read is text; a message is what has unprintable bytes in it and can be read as one.
  // eslint-disable-next-line no-control-regex
  if (text !== undefined && !/[\u0000-\u0008\u000b-\u001f]/.test(text)) return text;
  const inner = fields(field.value);
  return inner ? numbered(inner) : `${field.value.length} bytes`;
}

export function leaf(field: Field): Tree {
  return field.isNumber ? varintOf(field).toString() : (textOf(field.value) ?? `${field.value.length} bytes`);
}

export function varintOf(field: Field): bigint {
  if (field.value.length === 8 || field.value.length === 4) {
    const fixed = [...field.value].reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    if ((field.value.at(-1) ?? 0) > 0x7f || field.value.subarray(0, -1).some((byte) => byte < 0x80)) return fixed;
  }
  return varint(field.value, 0)?.value ?? 0n;
}

function bodyOf(
  bytes: Uint8Array,
  at: number,
  type: number,
): { field: { value: Uint8Array; isNumber: boolean }; end: number } | undefined {
  const number = (end: number) => ({ field: { value: bytes.subarray(at, end), isNumber: true }, end });
  if (type === 0) {
    const value = varint(bytes, at);
    return value && number(value.end);
  }
  if (type === 1 || type === 5) {
    const end = at + (type === 1 ? 8 : 4);
    return end <= bytes.length ? number(end) : undefined;
  }
  const length = type === 2 ? varint(bytes, at) : undefined;
  const end = length ? length.end + Number(length.value) : Number.POSITIVE_INFINITY;
  if (!length || end > bytes.length) return undefined;
  return { field: { value: bytes.subarray(length.end, end), isNumber: false }, end };
}

function varint(bytes: Uint8Array, from: number): { value: bigint; end: number } | undefined {
  let value = 0n;
  for (let at = from; at < Math.min(from + 10, bytes.length); at += 1) {
    const byte = bytes[at] ?? 0;
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - from));
    if (byte < 0x80) return { value: BigInt.asIntN(64, value), end: at + 1 };
  }
  return undefined;
}
