import { expect, test } from "vitest";

import { atOnce } from "./pool";

test("so many at the same time, each once, and no more after one has failed", async () => {
  let [running, most] = [0, 0];
  const done: number[] = [];
  await atOnce(3, [1, 2, 3, 4, 5, 6, 7], async (one) => {
    most = Math.max(most, (running += 1));
    await Promise.resolve();
    running -= 1;
    done.push(one);
  });
  expect([most, done]).toEqual([3, [1, 2, 3, 4, 5, 6, 7]]);
  const begun: number[] = [];
  const failing = atOnce(1, [1, 2, 3], async (one) => {
    begun.push(one);
    await Promise.resolve();
    if (one === 2) throw new Error("two");
  });
  await expect(failing).rejects.toThrow("two");
  expect(begun).toEqual([1, 2]);
  await atOnce(3, [], () => Promise.reject(new Error("of nothing")));
});
