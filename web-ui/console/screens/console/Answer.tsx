// A call that was made, and its answer.
import { useMemo } from "react";

import type { Spec } from "../../model/spec";
import { AnswerView } from "../../parts/AnswerView";
import { CopyAs } from "../../parts/CopyAs";
import { curlOf } from "../curl";
import styles from "./Console.module.css";
import type { Run } from "./useRuns";

const MOST_LINES = 6;

export function Answer({ run: { text, at, call, operation, now, wrong }, spec }: { run: Run; spec: Spec | undefined }) {
  const lines = text.split("\n");
  const commands = useMemo(() => (call ? [{ label: "Copy as curl", text: curlOf(call) }] : []), [call]);
  return (
    <article className={styles.answer} aria-label={lines[0]}>
      <header className={styles.head}>
        <pre className={styles.call}>{lines.slice(0, MOST_LINES).join("\n")}{lines.length > MOST_LINES && "\n…"}</pre>
        <time className={styles.time} dateTime={new Date(at).toISOString()}>{new Date(at).toLocaleTimeString([], { hour12: false })}</time>
        {commands.length > 0 && <CopyAs commands={commands} />}
      </header>
      {wrong === undefined ? <AnswerView spec={spec} operation={operation} now={now} /> : <p className={styles.wrong} role="alert">{wrong}</p>}
    </article>
  );
}
