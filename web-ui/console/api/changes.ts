// Changes of several keys and prefixes in one stream, all those of a frame at once.
import { type Change, type Entry, type Gap, MOST_ENTRIES } from "../model/events";
import { type Key, base64, ofNamed, textOf, toBytes } from "../model/keys";
import { address } from "./base";
import type { components } from "./generated/schema";
import { follow } from "./live";
import type { Problem } from "./problem";

type WatchChange = components["schemas"]["WatchChange"];

export interface Wanted {
  prefixes: readonly Key[];
  keys: readonly Key[];
  puts: boolean;
  deletes: boolean;
  /** The first revision, where it is not from now on. */
  from?: string | undefined;
}

export interface Batch {
  entries: Entry[];
  /** Those of the frame that were too many to keep. */
  skipped: number;
}

/** The path with what is watched: names that come several times. */
function path({ prefixes, keys, puts, deletes, from }: Wanted, asText: boolean, since?: string): string {
  const query = new URLSearchParams();
  const add = (name: string, key: Key): void => {
    const text = asText ? textOf(toBytes(key)) : undefined;
    if (text === undefined) query.append(`${name}_b64`, base64(key));
    else query.append(name, text);
  };
  for (const prefix of prefixes) add("prefix", prefix);
  for (const key of keys) add("key", key);
  if (!puts) query.append("filters", "noput");
  if (!deletes) query.append("filters", "nodelete");
  if (since !== undefined) query.append("since", since);
  else if (from !== undefined) query.append("start_revision", from);
  query.append("prev_kv", "true");
  return `v3/watch?${query.toString().replaceAll("%2F", "/")}`;
}

/** The address of the stream, as people read it. */
export function streamAddress(wanted: Wanted): string {
  return address(path(wanted, true)).href;
}

let number = 0;

/** Follows what is wanted, on behind the event `since`, until the function that comes back is called. */
export function follows(wanted: Wanted, since: string | undefined, told: (batch: Batch) => void, refused: (problem: Problem) => void): () => void {
  let [waiting, skipped, opened]: [Entry[], number, boolean] = [[], 0, false];
  let frame: number | undefined;
  const flush = (): void => {
    const batch = { entries: waiting, skipped };
    [waiting, skipped, frame] = [[], 0, undefined];
    told(batch);
  };
  const add = (entry: Change | Gap): void => {
    number += 1;
    waiting.push({ ...entry, at: Date.now(), number });
    // A page that is not seen has no frames.
    if (waiting.length > 2 * MOST_ENTRIES) {
      skipped += MOST_ENTRIES;
      waiting = waiting.slice(MOST_ENTRIES);
    }
    frame ??= requestAnimationFrame(flush);
  };
  const changed = (kind: "put" | "delete") => (data: unknown, id: string): void => {
    const change = data as WatchChange;
    add({ kind, key: ofNamed(change), revision: change.mod_revision, id, data, size: sizeOf(change) });
  };
  const stop = follow(path(wanted, false, since), {
    query: {},
    refused,
    on: {
      opened: () => {
        if (opened) add({ kind: "resumed", text: "The connection was lost, and is back where it was: nothing is missing." });
        opened = true;
      },
      put: changed("put"),
      delete: changed("delete"),
      compacted: (_, id) => add({ kind: "compacted", text: `Changes up to revision ${id.split(".")[0] ?? id} have been compacted: what is missing here is lost.` }),
      ahead: () => add({ kind: "ahead", text: "The store was set back, as by restoring a backup: what follows is of another history." }),
      failed: (data) => add({ kind: "failed", text: (data as { detail?: string }).detail ?? "The server gave up the stream." }),
    },
  });
  return () => {
    stop();
    if (frame !== undefined) cancelAnimationFrame(frame);
  };
}

function sizeOf(change: WatchChange): number {
  const own = (change.value ?? change.value_b64 ?? "").length + (change.key ?? change.key_b64 ?? "").length;
  return 200 + own + (change.prev_kv ? sizeOf(change.prev_kv) : 0);
}

/** The value that an event tells; nothing where there is none. */
export function valueOf(data: unknown, which: "after" | "before"): Uint8Array | undefined {
  const told = data as WatchChange;
  const kv = which === "after" ? told : told.prev_kv;
  if (!kv?.create_revision) return undefined;
  return kv.value_b64 === undefined ? new TextEncoder().encode(kv.value ?? "") : Uint8Array.from(atob(kv.value_b64), (char) => char.charCodeAt(0));
}
