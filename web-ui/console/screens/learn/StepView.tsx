// A step of a tour: what it does, its call, the same for a shell, and what came of it.
import { useEffect, useEffectEvent } from "react";

import { useMayChange } from "../../api/settings";
import { blocksOf } from "../../model/query/blocks";
import { parse } from "../../model/query/parse";
import type { Spec } from "../../model/spec";
import { type Step, filled, isExpected, taken } from "../../model/tours/step";
import { AnswerView } from "../../parts/AnswerView";
import { Button } from "../../parts/Button";
import { copy } from "../../parts/CopyAs";
import { Tag } from "../../parts/Page";
import { useRuns } from "../console/useRuns";
import { curlOf } from "../curl";
import styles from "./Learn.module.css";

interface Props {
  number: number;
  step: Step;
  /** What earlier steps have taken. */
  known: Readonly<Record<string, string>>;
  spec: Spec | undefined;
  /** All was as it should be; of a step that reads, nobody is told. */
  onDone: (taken: Record<string, string>) => void;
}

export function StepView({ number, step, known, spec, onDone }: Props) {
  const { runs, isBusy, run, stop } = useRuns(spec, false);
  const mayChange = useMayChange();
  const { call, missing } = filled(step.call, known);
  const parsed = parse(call);
  const last = runs[0];
  const now = last?.now;
  const isOver = now?.state === "done";
  const isGood = isOver && isExpected(step, now.status);
  const changes = "call" in parsed && parsed.call.changes;
  const told = useEffectEvent(() => { if (now) onDone(taken(step, [now.headers ?? "", ...now.parts].join("\n"))); });
  // Told once for each time that it was run.
  const done = isGood && changes ? last?.number : undefined;
  useEffect(() => { if (done !== undefined) told(); }, [done]);
  const command = "call" in parsed ? curlOf(parsed.call) : "";
  return (
    <li className={styles.step}>
      <span className={`${styles.number} ${isGood ? styles.good : ""}`} aria-hidden="true">{number}</span>
      <div className={styles.what}>
        <h2>{step.title}</h2>
        <p>{step.about}</p>
        <pre className={styles.call}>{call}</pre>
        <div className={styles.shell}>
          <code>{command}</code>
          <Button look="quiet" icon="copy" aria-label={`Copy as curl: ${step.title}`} title="Copy as curl" onClick={() => void copy(command, "the curl command")} />
        </div>
        <div className={styles.bar}>
          {changes && !mayChange ? <span className={styles.soft}>Not run: this console is read-only.</span> : (
            <>
              <Button look="main" disabled={missing.length > 0} aria-label={`Run: ${step.title}`} onClick={() => void run(blocksOf(call))}>Run</Button>
              {isBusy && <Button aria-label={`Stop: ${step.title}`} onClick={stop}>Stop</Button>}
              {missing.length > 0 && <span className={styles.soft}>It wants what an earlier step is answered with.</span>}
            </>
          )}
          {isOver && <Tag look={isGood ? "good" : "bad"}>{isGood ? (step.status !== undefined && step.status >= 400 ? "refused, as it should be" : "as it should be") : "not what was to come"}</Tag>}
        </div>
        {last?.wrong === undefined ? <AnswerView spec={spec} operation={last?.operation} now={now} /> : <p role="alert">{last.wrong}</p>}
      </div>
    </li>
  );
}
