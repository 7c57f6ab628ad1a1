// Keys under another name: first a look at what would be where, then the move.
import { useState } from "react";

import { present, sources } from "../../../api/transfer";
import { type Key, ofText, show, textOf, toBytes } from "../../../model/keys";
import { type Move as One, met, moveDrafts, movesOf } from "../../../model/move";
import type { Row } from "../../../model/rows";
import { bytes, count, plural } from "../../../model/text";
import { Deed } from "../../../parts/Deed";
import { TextField } from "../../../parts/Fields";
import { Note } from "../../../parts/Page";
import { toast } from "../../../parts/Toasts";
import { applied, batchCommands, howMany } from "./applied";
import styles from "./Chosen.module.css";

/** What a page takes into its memory, and looks for under other names, one by one. */
const MOST = { keys: 2_000, bytes: 32 * 1024 * 1024 };
const MOST_SHOWN = 200;

interface Props {
  rows: readonly Row[];
  /** What all of them begin with, and will no more. */
  from: Key;
  onClose: (isDone: boolean, onto?: Key) => void;
}

interface Plan {
  moves: readonly One[];
  /** New names that are taken. */
  taken: ReadonlySet<Key>;
  onto: Key;
  keeps: boolean;
}

export default function Move({ rows: chosen, from, onClose }: Props) {
  const [rows] = useState(chosen);
  const [text, setText] = useState(textOf(toBytes(from)) ?? "");
  const [keeps, setKeeps] = useState(false);
  const [plan, setPlan] = useState<Plan>();
  const onto = ofText(text);
  if (plan) return <Go plan={plan} from={from} onClose={onClose} />;
  const look = async (): Promise<void> => {
    const there = await sources(rows, MOST);
    if (!there) throw new Error(`There are more than ${count(MOST.keys)} keys, or ${bytes(MOST.bytes)} of values. Move them level by level, or export and import them.`);
    if (there.length === 0) throw new Error("There are no keys any more");
    const moves = movesOf(there, from, onto);
    if (moves.some(({ to }) => to === "")) throw new Error("A key has a name of at least one letter");
    const taken = new Set([...met(moves), ...(await present(moves.map(({ to }) => to)))]);
    setPlan({ moves, taken, onto, keeps });
  };
  const [only] = rows;
  const what = rows.length === 1 && only ? show(only.key) : plural(rows.length, "row");
  return (
    <Deed
      title={`Move ${what}`}
      about={from === "" ? "Each gets something before its name." : <>All of it begins with <code>{show(from)}</code>. What is typed here takes its place.</>}
      deed="Look at it"
      disabled={onto === from}
      run={look}
      onClose={() => onClose(false)}
      onDone={() => undefined}
    >
      <TextField label="New beginning" mono value={text} onChange={(event) => setText(event.target.value)} hint="Nothing is written before you have seen what would be where." />
      <label className={styles.check}><input type="checkbox" checked={keeps} onChange={(event) => setKeeps(event.target.checked)} />Copy them: the old ones stay</label>
    </Deed>
  );
}

function Go({ plan: { moves, taken, onto, keeps }, from, onClose }: { plan: Plan; from: Key; onClose: Props["onClose"] }) {
  const [done, setDone] = useState(0);
  const drafts = moveDrafts(moves, keeps);
  const leased = moves.filter(({ lease }) => lease !== undefined).length;
  const deed = keeps ? "Copy" : "Move";
  const run = async (): Promise<void> => {
    await applied(drafts, setDone);
    toast({ text: `${keeps ? "Copied" : "Moved"} ${plural(moves.length, "key")} to ${show(onto)}` });
  };
  return (
    <Deed
      wide
      title={`${deed} ${plural(moves.length, "key")}?`}
      about={`Only if each is still what it was when it was looked at, and its new name is free. ${keeps ? "" : "Keys that come meanwhile stay where they are. "}History stays with the old names.`}
      deed={deed}
      disabled={taken.size > 0}
      commands={batchCommands(drafts)}
      run={run}
      onClose={() => onClose(false)}
      onDone={() => onClose(true, onto)}
    >
      {taken.size > 0 && <Note danger>{plural(taken.size, "new name is", "new names are")} taken: nothing is written over. Choose another beginning.</Note>}
      {/* What can be scrolled has to be reached by the keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <ul className={styles.names} aria-label="What would be where" tabIndex={0}>
        {[...moves].sort((one, other) => Number(taken.has(other.to)) - Number(taken.has(one.to))).slice(0, MOST_SHOWN).map(({ key, to }) => (
          <li key={key}>{show(key)} <span className={styles.arrow}>→</span> {show(onto)}{show(to.slice(onto.length))}{taken.has(to) && <strong className={styles.clash}> is taken</strong>}</li>
        ))}
        {moves.length > MOST_SHOWN && <li>and {count(moves.length - MOST_SHOWN)} more</li>}
      </ul>
      <p className={styles.note}>
        {howMany(drafts)}{done > 0 && ` ${count(done)} are done.`}
        {leased > 0 && ` ${plural(leased, "key keeps its lease", "keys keep their leases")}.`}
        {from !== "" && onto.startsWith(from) && " They stay below where they were."}
      </p>
    </Deed>
  );
}
