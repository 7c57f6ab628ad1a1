import { useState } from "react";

import { endpoint } from "../../../api/base";
import { etcdctl, quotedKey } from "../../../model/copy";
import { show } from "../../../model/keys";
import { removals, sumOf } from "../../../model/marks";
import type { Row } from "../../../model/rows";
import { count, plural } from "../../../model/text";
import { Deed } from "../../../parts/Deed";
import { Note } from "../../../parts/Page";
import { toast } from "../../../parts/Toasts";
import { applied, batchCommands, howMany } from "./applied";
import styles from "./Chosen.module.css";

const MOST_SHOWN = 200;

export function RemoveChosen({ rows: chosen, onClose }: { rows: readonly Row[]; onClose: (isDone: boolean) => void }) {
  // As they were when somebody began: what they become meanwhile has not been seen.
  const [rows] = useState(chosen);
  const [done, setDone] = useState(0);
  const drafts = removals(rows);
  const { keys, levels, below } = sumOf(rows);
  const what = [keys > 0 && plural(keys, "key"), levels > 0 && plural(levels, "level")].filter(Boolean).join(" and ");
  const lines = rows.map(({ kind, key }) => etcdctl(endpoint, `del ${kind === "level" ? "--prefix " : ""}-- ${quotedKey(key)}`));
  const commands = [...batchCommands(drafts), ...(rows.length <= MOST_SHOWN ? [{ label: "Copy as etcdctl", text: lines.join("\n") }] : [])];
  const run = async (): Promise<void> => {
    await applied(drafts, setDone);
    toast({ text: `Deleted ${what}` });
  };
  return (
    <Deed
      danger
      title={`Delete ${what}?`}
      about={<>{keys > 0 && "Keys go only if none of them has changed since it was seen. "}{levels > 0 && "Levels go with all that is in them by then. "}What each was stays in its history until it is compacted.</>}
      deed="Delete"
      typed={`delete ${keys + below}`}
      commands={commands}
      run={run}
      onClose={() => onClose(false)}
      onDone={() => onClose(true)}
    >
      {levels > 0 && <Note danger>{plural(below, "key is", "keys are")} in {levels === 1 ? "the level" : "the levels"} now.</Note>}
      {/* What can be scrolled has to be reached by the keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <ul className={styles.names} aria-label="What is deleted" tabIndex={0}>
        {rows.slice(0, MOST_SHOWN).map(({ key }) => <li key={key}>{show(key)}</li>)}
        {rows.length > MOST_SHOWN && <li>and {count(rows.length - MOST_SHOWN)} more</li>}
      </ul>
      <p className={styles.note}>{howMany(drafts)}{done > 0 && ` ${count(done)} are done.`}</p>
    </Deed>
  );
}
