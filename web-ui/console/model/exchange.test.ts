import { expect, test } from "vitest";

import { upTo } from "./exchange";

test("a stream of changes is enough with the last that is wanted", () => {
  const parts = ['{"id":"1~","event":"opened"}', '{"event":"put","data":{}}', '{"event":"delete","data":{}}', '{"event":"put"}'];
  expect(upTo(parts, 2)).toEqual({ parts: parts.slice(0, 3), isEnough: true });
  expect(upTo(parts, 4)).toEqual({ parts, isEnough: false });
  expect(upTo(['{"event":"opened","data":{"key":"\\"event\\":\\"put\\""}}'], 1).isEnough).toBe(false);
});
