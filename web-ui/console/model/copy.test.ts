import { execFileSync } from "node:child_process";

import { expect, it } from "vitest";

import { curl, etcdctl, quoted, quotedBytes } from "./copy";

it("is one word to a shell, whatever is in it", () => {
  const hard = ["", "plain", "it's", "$(reboot) `x` \\ \"", "two\nlines\tand 'more'", "値 🔑", "*", "a;b"];
  for (const text of hard) {
    expect(execFileSync("bash", ["-c", `printf %s ${quoted(text)}`]).toString()).toBe(text);
  }
  const bytes = Uint8Array.from({ length: 255 }, (_, at) => at + 1);
  expect([...execFileSync("bash", ["-c", `printf %s ${quotedBytes(bytes)}`])]).toEqual([...bytes]);
});

it("says no more than it has to", () => {
  expect(curl({ url: "http://localhost:2379/v3/keys/a" })).toBe("curl -s http://localhost:2379/v3/keys/a");
  expect(curl({ url: "http://h/a?b=1", method: "PUT", body: "x y" })).toBe("curl -s -X PUT --data-binary 'x y' 'http://h/a?b=1'");
  expect(etcdctl("http://localhost:2379", "get a")).toBe("etcdctl get a");
  expect(etcdctl("https://h:1", "get a")).toBe("etcdctl --endpoints https://h:1 get a");
});
