// What an import would change, each with what is different.
import { useState } from "react";

import { hexLines, kindOf, laidOut } from "../../model/kind";
import { show, textOf } from "../../model/keys";
import { count } from "../../model/text";
import type { Change } from "../../model/transfer";
import { Button } from "../../parts/Button";
import { Diff } from "../../parts/Diff";
import styles from "./Backup.module.css";

const MOST_SHOWN = 200;
const MOST_COMPARED = 128 * 1024;
const WORDS = { create: "new", change: "changed", delete: "deleted" };

export function Changes({ changes }: { changes: readonly Change[] }) {
  const [most, setMost] = useState(MOST_SHOWN);
  return (
    // What can be scrolled has to be reached by the keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <ul className={styles.changes} aria-label="What would change" tabIndex={0}>
      {changes.slice(0, most).map((change) => <One key={change.key} change={change} />)}
      {changes.length > most && <li><Button onClick={() => setMost(most + MOST_SHOWN)}>{count(changes.length - most)} more</Button></li>}
    </ul>
  );
}

function One({ change }: { change: Change }) {
  const [isOpen, setOpen] = useState(false);
  const isSmall = (change.before?.length ?? 0) + (change.after?.length ?? 0) <= MOST_COMPARED;
  return (
    <li>
      <div className={styles.change}>
        <span className={`${styles.what} ${change.kind === "change" ? styles.changeKind : styles[change.kind]}`}>{WORDS[change.kind]}</span>
        <code>{show(change.key)}</code>
        <Button look="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}><span className="unseen">{show(change.key)}: </span>What changes</Button>
      </div>
      {isOpen && (isSmall ? <Diff before={lines(change.before)} after={lines(change.after)} label="What changes" /> : <p className={styles.soft}>Too large to be compared here.</p>)}
    </li>
  );
}

function lines(value: Uint8Array | undefined): string {
  if (value === undefined) return "";
  const text = textOf(value);
  if (text === undefined) return hexLines(value).join("\n");
  return kindOf(value) === "json" ? laidOut(text) : text;
}
