import { expect, test } from "vitest";

import { unpacked } from "./msgpack";

const of = (...bytes: (number | string)[]): string | undefined => unpacked(Uint8Array.from(bytes.flatMap((each) => (typeof each === "string" ? [...new TextEncoder().encode(each)] : [each]))));

test("maps and lists are read with all that may be in them", () => {
  expect(of(0x82, 0xa7, "compact", 0xc3, 0xa6, "schema", 0)).toBe('{\n  "compact": true,\n  "schema": 0\n}');
  expect(of(0x90)).toBe("[]");
  const items = of(
    0xdc, 0, 13, 0xc0, 0xc2, 0xff, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0, 0xd1, 0xff, 0x7f,
    0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xca, 0x3f, 0, 0, 0, 0xd9, 2, "ü", 0xc4, 2, 0xfe, 0xed, 0xd6, 0xff, 0, 0, 0, 1, 0xd4, 7, 9, 0x81, 0x01, 0x02,
  );
  expect(items?.split(/,?\n */)).toEqual([
    "[", "null", "false", "-1", "18446744073709551615", "-9223372036854775808", "-129", "1.5", "0.5", '"ü"', '"0xfeed"', '"1970-01-01T00:00:01.000Z"', "{", '"extension": 7', '"bytes": "0x09"', "}", "{", '"1": 2', "}", "]",
  ]);
});

test("what is not one map or list, whole and nothing behind it, is none", () => {
  for (const bytes of [[], [0x01], [0xa1, 0x61], [0x81], [0x91, 0xc1], [0x91, 1, 1], [0x91, 0xd9, 5, 0x61], [0xdd, 0xff, 0xff, 0xff, 0xff], Array.from({ length: 100 }, () => 0x91)]) expect(of(...bytes), bytes.join()).toBeUndefined();
});
