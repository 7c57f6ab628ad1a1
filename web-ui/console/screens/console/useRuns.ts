// Calls that are made one after the other, and what they are answered with: the newest first.
import { useEffect, useRef, useState } from "react";

import { base, endpoint } from "../../api/base";
import { ask } from "../../api/client";
import { exchange } from "../../api/exchange";
import { useMayChange } from "../../api/settings";
import type { Exchange } from "../../model/exchange";
import type { Block } from "../../model/query/blocks";
import type { Call } from "../../model/query/call";
import { parse } from "../../model/query/parse";
import type { Operation, Spec } from "../../model/spec";
import { remember } from "./kept";

export interface Run {
  number: number;
  /** Milliseconds since 1970. */
  at: number;
  text: string;
  call?: Call;
  operation?: Operation | undefined;
  now?: Exchange;
  /** Why nothing was sent. */
  wrong?: string;
}

/** Older answers go. */
const MOST_RUNS = 30;
let number = 0;

/** With `keeps`, what is run is remembered. */
export function useRuns(spec: Spec | undefined, keeps = true) {
  const [runs, setRuns] = useState<readonly Run[]>([]);
  const [isBusy, setBusy] = useState(false);
  const under = useRef<AbortController>(undefined);
  const mayChange = useMayChange();
  // Whoever leaves wants no more of it.
  useEffect(() => () => under.current?.abort(), []);

  /** Makes a call, and tells whether all went well. */
  const one = async (text: string, signal: AbortSignal): Promise<boolean> => {
    const run: Run = { number: (number += 1), at: Date.now(), text };
    const tell = (more: Partial<Run>): void => setRuns((before) => {
      const rest = before.filter((each) => each.number !== run.number);
      return [{ ...run, ...before.find((each) => each.number === run.number), ...more }, ...rest].sort((a, b) => b.number - a.number).slice(0, MOST_RUNS);
    });
    if (keeps) remember(text);
    const parsed = parse(text, endpoint);
    if ("wrong" in parsed) {
      tell({ wrong: parsed.wrong });
      return false;
    }
    const { call } = parsed;
    if (call.changes && !mayChange) {
      tell({ wrong: "This console is read-only: it sends nothing that may change something." });
      return false;
    }
    const operation = spec?.find(call.method, call.path.split("?")[0] ?? "");
    const isJson = operation?.requestBody?.content["application/json"] !== undefined;
    const headers = { ...(call.accept !== undefined && { Accept: call.accept }), ...(isJson && call.body !== undefined && { "Content-Type": "application/json" }) };
    const request = { url: new URL(`.${call.path}`, base), method: call.method, headers, body: call.body };
    let last: Exchange | undefined;
    await exchange(request, signal, (now) => { last = now; tell({ call, operation, now }); }, { ask: (url, init) => ask(url, init, { byHand: true }), most: call.most });
    return last?.state === "done" && (last.status ?? 500) < 400;
  };

  /** One after the other, down to the first that fails. */
  const run = async (blocks: readonly Block[]): Promise<void> => {
    under.current?.abort();
    const controller = new AbortController();
    under.current = controller;
    setBusy(true);
    for (const { text } of blocks) if (controller.signal.aborted || !(await one(text, controller.signal))) break;
    if (under.current === controller) setBusy(false);
  };
  return { runs, isBusy, run, stop: () => under.current?.abort(), clear: () => setRuns([]) };
}
