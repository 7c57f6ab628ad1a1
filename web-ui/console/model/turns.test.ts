import { expect, test } from "vitest";

import { Turns } from "./turns";

/** Pages that hear one another; each is used when it is opened. */
function pages(count: number, most: number) {
  const all = Array.from({ length: count }, (_, at) => new Turns(`page ${at}`, most));
  const tell = (from: Turns | undefined, said: ReturnType<Turns["used"]>): void => { if (said) for (const other of all) if (other !== from) other.heard(said); };
  const use = (at: number, time: number): void => tell(all[at], all[at]?.used(time));
  const leave = (at: number): void => tell(all[at], all[at]?.gone());
  const mine = (): number[] => all.flatMap((each, at) => (each.isMine ? [at] : []));
  return { all, use, leave, mine };
}

test("those that were used last have it", () => {
  const { use, leave, mine } = pages(4, 2);
  for (const at of [0, 1, 2, 3]) use(at, at);
  expect(mine()).toEqual([2, 3]);
  use(0, 10);
  expect(mine()).toEqual([0, 3]);
  leave(0);
  expect(mine()).toEqual([0, 2, 3]);
  use(0, 11);
  expect(mine()).toEqual([0, 3]);
});

test("who is the last already says nothing, and a clock that is set back turns nothing round", () => {
  const { all, use, mine } = pages(2, 1);
  use(0, 100);
  expect(all[0]?.used(101)).toBeUndefined();
  use(1, 50);
  expect(mine()).toEqual([1]);
  use(0, 49);
  expect(mine()).toEqual([0]);
});

test("of two at the same time one has it", () => {
  const { all, mine } = pages(2, 1);
  const [one, other] = [all[0]?.used(7), all[1]?.used(7)];
  if (one) all[1]?.heard(one);
  if (other) all[0]?.heard(other);
  expect(mine()).toEqual([1]);
});

test("who has died without a word is missed when it is asked for", () => {
  const { all, use, mine } = pages(3, 1);
  for (const at of [0, 1, 2]) use(at, at);
  const [one, other] = all;
  if (!one || !other) throw new Error("there are three");
  // The last one hears nothing any more.
  const ask = (): void => {
    const answer = other.heard(one.asks());
    if (answer) one.heard(answer);
  };
  ask();
  expect(mine()).toEqual([2]);
  ask();
  expect(one.isMine).toBe(false);
  other.asks();
  other.asks();
  expect(other.isMine).toBe(true);
  // One that was only slow has its turn again.
  expect(all[2]?.heard(other.asks())).toEqual({ kind: "used", id: "page 2", at: 2 });
  other.heard({ kind: "used", id: "page 2", at: 2 });
  expect(other.isMine).toBe(false);
  one.heard(other.gone());
  expect(other.heard(one.asks())).toBeUndefined();
});
