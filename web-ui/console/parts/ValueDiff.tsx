// What has changed between two values. JSON is compared in lines, unless somebody wants it as it is written.
import { useMemo, useState } from "react";

import { comparable } from "../model/shown";
import { Diff } from "./Diff";
import { Choice } from "./Fields";
import styles from "./ValueDiff.module.css";

interface Props {
  /** Nothing where there was none. */
  before: Uint8Array | undefined;
  after: Uint8Array | undefined;
  label: string;
}

const FORMS = [["laid out", "JSON, laid out"], ["written", "as it is written"]] as const;

export function ValueDiff({ before, after, label }: Props) {
  const [form, setForm] = useState<"laid out" | "written">("laid out");
  const all = useMemo(() => {
    const pair = (asWritten: boolean) => ({ before: comparable(before, asWritten), after: comparable(after, asWritten) });
    return { "laid out": pair(false), written: pair(true) };
  }, [before, after]);
  const [laidOut, written] = [all["laid out"], all.written];
  const isJson = laidOut.before !== written.before || laidOut.after !== written.after;
  const isOnlyForm = form === "laid out" && laidOut.before === laidOut.after && written.before !== written.after;
  return (
    <div className={styles.values}>
      {isJson && <Choice label={`${label}: compared as`} value={form} options={FORMS} onChoose={setForm} />}
      {isOnlyForm ? <p className={styles.same}>The JSON is the same, and is written otherwise.</p> : <Diff {...all[form]} label={label} />}
    </div>
  );
}
