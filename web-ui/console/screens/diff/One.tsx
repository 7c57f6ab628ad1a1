// A key that is different, and what has become of its value.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { type Sides, sidesOf } from "../../api/compare";
import type { Difference } from "../../model/compare";
import { show } from "../../model/keys";
import { bytes, count } from "../../model/text";
import { Button } from "../../parts/Button";
import { Loading } from "../../parts/States";
import { ValueDiff } from "../../parts/ValueDiff";
import { Failure } from "../Failure";
import { addressOf } from "../keys/place";
import styles from "./Differences.module.css";

interface Props {
  difference: Difference;
  between: { from: string; to: string };
}

export function One({ difference, between }: Props) {
  const [isOpen, setOpen] = useState(false);
  const { kind, key, before, after } = difference;
  const size = [before, after].flatMap((row) => (row ? [bytes(row.size)] : []));
  const rev = kind === "deleted" ? between.from : between.to;
  return (
    <li className={styles.one}>
      <div className={styles.line}>
        <span className={`${styles.what} ${styles[kind]}`}>{kind}</span>
        <a className={`mono ${styles.key}`} href={addressOf({ prefix: "", key, rev })}>{show(key)}</a>
        <span className={styles.soft}>{size[0] === size[1] ? size[0] : size.join(" → ")}{after && ` · at ${count(after.modRevision)}`}</span>
        <Button look="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}><span className="unseen">{show(key)}: </span>Diff</Button>
      </div>
      {isOpen && <Values difference={difference} between={between} />}
    </li>
  );
}

function Values({ difference, between: { from, to } }: Props) {
  const { data, error, refetch } = useQuery({
    queryKey: ["diff", difference.key, difference.before?.modRevision, difference.after?.modRevision],
    queryFn: ({ signal }) => sidesOf(difference, from, to, signal),
    // What was at a revision does not change.
    staleTime: Infinity,
  });
  if (error) return <Failure error={error} again={() => void refetch()} wish="read this key" />;
  if (!data) return <Loading what="both values" />;
  const { before, after } = data;
  const isEmpty = [before, after].every((value) => value === undefined || value.size === 0);
  return (
    <>
      {isSame(data) && <p className={styles.same}>The value is the same: {difference.before?.createRevision === difference.after?.createRevision ? "it was written again" : "it was deleted and written again"}{before?.lease !== after?.lease && ", and its lease is another one"}.</p>}
      {!isSame(data) && (isEmpty ? <p className={styles.same}>The value is empty.</p> : <ValueDiff before={before?.bytes} after={after?.bytes} label={`What has become of ${show(difference.key)}`} />)}
      {[before, after].some((value) => value && value.bytes.length < value.size) && <p className={styles.same}>Of values this large the first 64 KiB are compared.</p>}
    </>
  );
}

function isSame({ before, after }: Sides): boolean {
  if (!before || !after || before.size !== after.size) return false;
  return before.bytes.every((byte, at) => byte === after.bytes[at]);
}
