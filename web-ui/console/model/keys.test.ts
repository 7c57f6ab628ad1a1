import { describe, expect, it } from "vitest";

import { base64, bytesOfBase64, compare, levels, ofAddress, ofBytes, ofNamed, ofText, parent, show, toBytes } from "./keys";

const every = Uint8Array.from({ length: 256 }, (_, at) => at);

describe("keys", () => {
  it("keep every byte", () => {
    expect([...toBytes(ofBytes(every))]).toEqual([...every]);
    expect([...bytesOfBase64(base64(ofBytes(every)))]).toEqual([...every]);
    expect(ofNamed({ key_b64: "//4=" })).toBe("%FF%FE");
  });

  it("have one spelling, whatever somebody types", () => {
    for (const typed of ["a/b c", "a/b%20c", "a%2Fb%20c"]) expect(ofAddress(typed)).toBe("a/b%20c");
    expect(ofAddress("100%")).toBe("100%25");
    expect(ofAddress("ключ")).toBe(ofText("ключ"));
  });

  it("are shown as text where they are text, and so that nothing hides", () => {
    expect(show(ofText("emoji/🔑 ключ"))).toBe("emoji/🔑 ключ");
    expect(show(ofText("a\tb\u202e"))).toBe("a\\x09b\\xe2\\x80\\xae");
    expect(show(ofBytes(Uint8Array.of(0, 0x61, 0xff)))).toBe("\\x00a\\xff");
  });

  it("know their levels, by what stands between them", () => {
    expect(levels("a:b::c", ":")).toEqual(["a:", "a:b:", "a:b::"]);
    expect(["a:b:c", "a:b:", "a/b"].map((key) => parent(key, ":"))).toEqual(["a:b:", "a:", ""]);
    expect(levels("a%7Cb%7Cc", "%7C")).toEqual(["a%7C", "a%7Cb%7C"]);
    expect(["a%7Cb", "a%7Cb%7C", "a%7C"].map((key) => parent(key, "%7C"))).toEqual(["a%7C", "a%7C", ""]);
    expect(levels("/a/b/c")).toEqual(["/", "/a/", "/a/b/"]);
    expect(["a/b/c", "a/b/", "a", "/"].map((key) => parent(key))).toEqual(["a/b/", "a/", "", ""]);
  });

  it("are in the order of the store: by bytes", () => {
    const keys = ["%FF", "a/b", "a%20b", "a", "%C3%A9", "b"];
    expect(keys.toSorted(compare)).toEqual(["a", "a%20b", "a/b", "b", "%C3%A9", "%FF"]);
  });
});
