// What is different, as it is found: so much, and then more when somebody wants it.
import { useEffect, useRef, useState } from "react";

import { compared } from "../../api/compare";
import { revisionAt } from "../../api/keys";
import type { Difference } from "../../model/compare";
import type { Place } from "./place";

/** Differences that are shown before somebody wants more. */
const PAGE = 200;
/** More than these are no list that people read. */
export const MOST = 4_000;

export interface Compared {
  found: readonly Difference[];
  /** Keys that were looked at. */
  seen: number;
  state: "going" | "waiting" | "full" | "done";
  /** The revisions that are compared, once they are known. */
  between?: { from: string; to: string };
  error?: unknown;
}

const NOTHING: Compared = { found: [], seen: 0, state: "going" };

/** Begins anew with each place, which has to be the same object as long as it is the same. */
export function useCompared(place: Place): Compared & { more: () => void; again: () => void } {
  const [round, setRound] = useState(0);
  const [told, setTold] = useState<{ of: Place; round: number; now: Compared }>();
  const goOn = useRef<(() => void) | undefined>(undefined);

  useEffect(() => {
    const gone = new AbortController();
    let now = NOTHING;
    const tell = (more: Partial<Compared>): void => {
      now = { ...now, ...more };
      if (!gone.signal.aborted) setTold({ of: place, round, now });
    };
    const run = async (): Promise<void> => {
      const to = place.to ?? (await revisionAt(place.prefix, true));
      const between = { from: place.from ?? before(to), to };
      tell({ between });
      let most = PAGE;
      for await (const { found, seen } of compared(place.prefix, between.from, to, PAGE, gone.signal)) {
        tell({ found: [...now.found, ...found], seen: now.seen + seen });
        if (now.found.length >= MOST) { tell({ state: "full" }); return; }
        if (now.found.length < most) continue;
        tell({ state: "waiting" });
        await new Promise<void>((resolve) => { goOn.current = resolve; });
        gone.signal.throwIfAborted();
        most = now.found.length + PAGE;
        tell({ state: "going" });
      }
      tell({ state: "done" });
    };
    run().catch((error: unknown) => tell({ error, state: "done" }));
    return () => {
      gone.abort();
      goOn.current?.();
    };
  }, [place, round]);

  const now = told?.of === place && told.round === round ? told.now : NOTHING;
  return { ...now, more: () => goOn.current?.(), again: () => setRound(round + 1) };
}

/** The revision before another one, if there is one. */
function before(revision: string): string {
  const one = BigInt(revision) - 1n;
  return (one < 1n ? 1n : one).toString();
}
