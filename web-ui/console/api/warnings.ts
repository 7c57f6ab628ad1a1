// What the log of the asked member warned of last.
import type { Warning } from "../model/warnings";
import { call } from "./client";
import { follow } from "./live";

export async function warnings(signal?: AbortSignal): Promise<Warning[]> {
  return (await call("get", "/v3/warnings", { signal })).warnings;
}

/** Those that are there and those that come, all those of a frame at once, until the function that comes back is called. */
export function followWarnings(told: (lines: Warning[]) => void): () => void {
  let waiting: Warning[] = [];
  let frame: number | undefined;
  const stop = follow("v3/warnings", {
    query: { watch: true },
    isWhole: true,
    on: {
      warning: (data) => {
        waiting.push(data as Warning);
        frame ??= requestAnimationFrame(() => {
          const lines = waiting;
          [waiting, frame] = [[], undefined];
          told(lines);
        });
      },
    },
  });
  return () => {
    stop();
    if (frame !== undefined) cancelAnimationFrame(frame);
  };
}
