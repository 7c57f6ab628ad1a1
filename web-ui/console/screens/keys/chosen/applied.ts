// Batches that are written one after the other, and what is said where one is refused.
import { address } from "../../../api/base";
import { Broken, apply } from "../../../api/import";
import { Problem } from "../../../api/problem";
import { curl } from "../../../model/copy";
import { count } from "../../../model/text";
import type { Draft } from "../../../model/transfer";
import type { Command } from "../../../parts/CopyAs";

export async function applied(drafts: readonly Draft[], told: (done: number) => void): Promise<void> {
  try {
    await apply(drafts, told);
  } catch (failure) {
    throw failure instanceof Broken ? new Error(whatBroke(failure, drafts.length), { cause: failure }) : failure;
  }
}

function whatBroke({ done, isOpen, cause, message }: Broken, all: number): string {
  const why = cause instanceof Problem && cause.status === 412 ? "A key has changed since it was seen" : message;
  const before = done === 0 ? "" : ` ${count(done)} of ${count(all)} batches were done before.`;
  const what = isOpen ? `Whether ${all === 1 ? "it" : "the next one"} was done is not known.` : done === 0 ? "Nothing was done." : "The rest was not.";
  return `${why}.${before} ${what}`;
}

/** One batch is one request; of several there is no one command. */
export function batchCommands(drafts: readonly Draft[]): Command[] {
  const [first, second] = drafts;
  if (!first || second) return [];
  return [{ label: "Copy as curl", text: curl({ url: address("v3/keys:batch").href, method: "POST", body: JSON.stringify(first.batch) }) }];
}

export function howMany(drafts: readonly Draft[]): string {
  return drafts.length === 1 ? "It is one batch: all of it or nothing." : `They go in ${count(drafts.length)} batches, each whole or not at all, and each a revision of its own.`;
}
