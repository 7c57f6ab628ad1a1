// Changes of keys with a prefix.
import { type Key, base64, ofNamed } from "../model/keys";
import type { Change } from "../model/rows";
import type { components } from "./generated/schema";
import { rowOf } from "./keys";
import { follow } from "./live";

export interface Watcher {
  /** From here on nothing is missed: what was read before may be old already. */
  opened?: () => void;
  changed: (changes: Change[]) => void;
  /** What came before is not known any more: look again. */
  lost: () => void;
}

/** Changes after a revision, all those of a frame at once, until the function that comes back is called. */
export function watch(query: ({ prefix: Key } | { key: Key }) & { after: string }, { opened, changed, lost }: Watcher): () => void {
  let waiting: Change[] = [];
  let frame: number | undefined;
  const add = (change: Change): void => {
    waiting.push(change);
    frame ??= requestAnimationFrame(() => {
      const changes = waiting;
      [waiting, frame] = [[], undefined];
      changed(changes);
    });
  };
  const of = "prefix" in query ? { prefix_b64: base64(query.prefix) } : { key_b64: base64(query.key) };
  const stop = follow("v3/watch", {
    query: { ...of, start_revision: (BigInt(query.after) + 1n).toString() },
    on: {
      opened: () => opened?.(),
      put: (data) => {
        const row = rowOf(data as components["schemas"]["KeyValue"]);
        add({ key: row.key, put: row });
      },
      delete: (data) => add({ key: ofNamed(data as components["schemas"]["KeyValue"]) }),
      compacted: lost,
      failed: lost,
    },
  });
  return () => {
    stop();
    if (frame !== undefined) cancelAnimationFrame(frame);
  };
}
