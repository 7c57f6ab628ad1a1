import { useMemo } from "react";

import { type Line, diff, hunks } from "../model/diff";
import { plural } from "../model/text";
import styles from "./Diff.module.css";

const SIGN = { same: " ", added: "+", removed: "−" };

/** Of a difference that is longer, the beginning is shown. */
const MOST_LINES = 2_000;

/** What has changed between two texts. */
export function Diff({ before, after, label }: { before: string; after: string; label: string }) {
  const shown = useMemo(() => hunks(diff(before, after)), [before, after]);
  if (before === after) return <p className={styles.none}>Nothing is different.</p>;
  return <DiffLines lines={shown} label={label} />;
}

/** The lines of a difference. */
export function DiffLines({ lines, label }: { lines: readonly (Line | { skipped: number })[]; label: string }) {
  return (
    // What can be scrolled has to be reached by the keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={styles.diff} role="region" aria-label={label} tabIndex={0}>
      {lines.slice(0, MOST_LINES).map((line, at) =>
        "skipped" in line ? (
          <div key={at} className={styles.skipped}>{line.skipped} {line.skipped === 1 ? "line" : "lines"} the same</div>
        ) : (
          <div key={at} className={styles[line.change]}>
            <span aria-hidden="true" className={styles.sign}>{SIGN[line.change]}</span>
            {line.change !== "same" && <span className="unseen">{line.change}: </span>}
            {line.text || " "}
          </div>
        ),
      )}
      {lines.length > MOST_LINES && <div className={styles.skipped}>{plural(lines.length - MOST_LINES, "more line")}</div>}
    </div>
  );
}
