// The log of a stream: it goes on while the list is paused, and where another filter is chosen it goes on behind what it has.
import { useEffect, useRef, useState } from "react";

import { type Wanted, follows } from "../../api/changes";
import type { Problem } from "../../api/problem";
import { EMPTY, type Log, added, isChange } from "../../model/events";

export interface Live {
  log: Log;
  /** Changes a second, of late. */
  rate: number;
  clear: () => void;
  /** Why nothing comes. */
  refused: Problem | undefined;
  /** Asks once more. */
  again: () => void;
}

const RATE_MS = 1_000;

export function useLog(wanted: Wanted): Live {
  const [log, setLog] = useState(EMPTY);
  const [rate, setRate] = useState(0);
  const [attempt, setAttempt] = useState(0);
  const [refused, setRefused] = useState<{ attempt: string; problem: Problem }>();
  const last = useRef<{ of: string; id: string | undefined }>({ of: "", id: undefined });
  const text = JSON.stringify(wanted);
  const of = `${attempt} ${text}`;
  const seen = useRef(0);

  useEffect(() => {
    const now = JSON.parse(text) as Wanted;
    if (now.prefixes.length + now.keys.length === 0) return undefined;
    // The same keys, though perhaps not the same kinds of changes: nothing in between is missed.
    const keys = JSON.stringify([now.prefixes, now.keys, now.from]);
    if (last.current.of !== keys) last.current = { of: keys, id: undefined };
    return follows(now, last.current.id, ({ entries, skipped }) => {
      const change = entries.findLast(isChange);
      if (change) last.current.id = change.id;
      seen.current += entries.length + skipped;
      setLog((before) => {
        const after = added(before, entries);
        return { ...after, seen: after.seen + skipped, dropped: after.dropped + skipped };
      });
    }, (problem) => setRefused({ attempt: of, problem }));
  }, [text, of]);

  useEffect(() => {
    let before = seen.current;
    const timer = setInterval(() => {
      setRate(seen.current - before);
      before = seen.current;
    }, RATE_MS);
    return () => clearInterval(timer);
  }, []);

  // What was refused before something else was wished for says nothing of that.
  const isOver = refused?.attempt === of;
  return { log, rate, clear: () => setLog(EMPTY), refused: isOver ? refused.problem : undefined, again: () => setAttempt(attempt + 1) };
}
