import { describe, expect, it } from "vitest";

import { hexLines, kindOf, laidOut } from "./kind";
import { read } from "./kubernetes";

const of = (text: string) => kindOf(new TextEncoder().encode(text));

describe("the kind of a value", () => {
  it("is what it looks like", () => {
    expect(of("")).toBe("empty");
    expect(of('{"a": [1, 2]}')).toBe("json");
    expect(of('{"a": ')).toBe("text");
    expect(of("12")).toBe("text");
    expect(of("# a comment\nname: web\nports:\n  - 80\n")).toBe("yaml");
    expect(of("Dear all: be kind.\nYours, me\n")).toBe("text");
    expect(of("postgres://one")).toBe("text");
    expect(kindOf(Uint8Array.of(1, 2, 0xff))).toBe("binary");
    expect(kindOf(Uint8Array.of(0))).toBe("binary");
    expect(kindOf(new TextEncoder().encode("k8s\0\n\u0002v1"))).toBe("kubernetes");
  });
});

describe("JSON that is laid out", () => {
  it("keeps numbers as they are written", () => {
    expect(laidOut('{"id":7587848390525747211,"f":1.50}')).toBe('{\n  "id": 7587848390525747211,\n  "f": 1.50\n}');
  });

  it("is the same to who reads it", () => {
    for (const json of ['{"a":{},"b":[ ],"c":"x:{,\\"]"}', "[[],[1,[2]]]", '[{"a":null}]']) {
      expect(JSON.parse(laidOut(json))).toEqual(JSON.parse(json));
    }
    expect(laidOut("[]")).toBe("[]");
  });
});

it("shows bytes sixteen a line", () => {
  const [first, second] = hexLines(Uint8Array.from({ length: 18 }, (_, at) => at + 0x3b));
  expect(first).toBe("00000000  3b 3c 3d 3e 3f 40 41 42  43 44 45 46 47 48 49 4a  ;<=>?@ABCDEFGHIJ");
  expect(second).toMatch(/^00000010 {2}4b 4c {2}.*KL$/);
});

describe("an object of Kubernetes", () => {
  const field = (number: number, value: number[]): number[] => [(number << 3) | 2, value.length, ...value];
  const text = (words: string): number[] => [...new TextEncoder().encode(words)];
  const metadata = [...field(1, text("web-1")), ...field(3, text("default")), ...field(11, [...field(1, text("app")), ...field(2, text("web"))])];
  const raw = [...field(1, metadata), ...field(2, field(3, text("Always")))];
  const type = [...field(1, text("v1")), ...field(2, text("Pod"))];
  const bytes = Uint8Array.from([...text("k8s\0"), ...field(1, type), ...field(2, raw)]);

  it("is read without its schema", () => {
    expect(read(bytes)).toMatchObject({
      apiVersion: "v1",
      kind: "Pod",
      object: { metadata: { name: "web-1", namespace: "default", labels: { app: "web" } }, spec: { "#3": "Always" } },
    });
  });

  it("is nothing where it is cut off, and never an error", () => {
    for (let length = 0; length < bytes.length; length += 1) expect(() => read(bytes.subarray(0, length))).not.toThrow();
    expect(read(bytes.subarray(0, 9))).toBeUndefined();
  });
});
