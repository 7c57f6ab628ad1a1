// The line behind a name: who is first, and who comes after.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { type Place, line, release, samples } from "../../api/lines";
import { watch } from "../../api/watch";
import { type Key, show, textOf } from "../../model/keys";
import { type Age, ageOf } from "../../model/lines";
import { count, duration, hexId } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Deed } from "../../parts/Deed";
import { Card, Tag } from "../../parts/Page";
import { go, link } from "../../parts/route";
import { Loading } from "../../parts/States";
import { toast } from "../../parts/Toasts";
import { Failure } from "../Failure";
import { lineCommands, releaseCommands } from "./commands";
import styles from "./Locks.module.css";

const LATE_MS = 10_000;
const DAY_MS = 300_000;

export function Line({ name, mayChange }: { name: Key; mayChange: boolean }) {
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery({ queryKey: ["lines", "one", name], queryFn: ({ signal }) => line(name, signal) });
  // Places have a revision and no time. Who may not see when that was sees the revision alone.
  const late = useQuery({ queryKey: ["lines", "samples", "late"], queryFn: ({ signal }) => samples(600, 5, signal), refetchInterval: LATE_MS, retry: false });
  const day = useQuery({ queryKey: ["lines", "samples", "day"], queryFn: ({ signal }) => samples(86_400, 300, signal), refetchInterval: DAY_MS, retry: false });
  const first = late.data?.[0]?.time ?? Number.POSITIVE_INFINITY;
  const times = [...(day.data ?? []).filter(({ time }) => time < first), ...(late.data ?? [])];
  const now = useNow();
  const isThere = data !== undefined;
  useEffect(() => {
    if (!isThere) return undefined;
    const anew = () => void queries.invalidateQueries({ queryKey: ["lines"], predicate: ({ queryKey }) => queryKey[1] !== "samples" });
    return watch({ prefix: `${name}/`, after: "-1" }, { opened: anew, changed: anew, lost: anew });
  }, [queries, name, isThere]);

  const places = data?.places ?? [];
  return (
    <Card
      flush
      title={<><span className="mono">{show(name)}</span> {data && <Tag look={places.length > 0 ? "good" : undefined}>{places.length > 0 ? "held" : "free"}</Tag>}</>}
      tools={<><CopyAs commands={lineCommands(name)} /><Button look="quiet" icon="close" aria-label="Close the line" onClick={() => go(link("locks"))} /></>}
    >
      {!data && (error ? <Failure error={error} again={() => void refetch()} wish={`read the keys of the line, those below ${show(name)}/`} /> : <Loading what="the line" />)}
      {data && places.length === 0 && <p className={styles.none}>Nobody holds it. Whoever comes is shown at once.</p>}
      {places.length > 0 && (
        <ol className={styles.line} aria-label="The line">
          {places.map((place, at) => (
            <One key={place.key} name={name} place={place} at={at} age={ageOf(times, BigInt(place.revision), now)} mayChange={mayChange} />
          ))}
        </ol>
      )}
      {data && data.count > places.length && <p className={styles.none}>and {count(data.count - places.length)} more behind them</p>}
    </Card>
  );
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function One({ name, place, at, age, mayChange }: { name: Key; place: Place; at: number; age: Age | undefined; mayChange: boolean }) {
  const [isOpen, setOpen] = useState(false);
  const said = textOf(place.value) ?? `${place.value.length} bytes`;
  const since = age && `${age.isMore ? "more than " : ""}${duration(age.seconds)}`;
  const run = async (): Promise<void> => {
    await release(name, place.lease);
    toast({ text: at === 0 ? "Released: whoever was next is first" : "Taken out of the line" });
  };
  return (
    <li className={`${styles.place} ${at === 0 ? styles.first : ""}`}>
      <span className={styles.number} aria-hidden="true">{at + 1}</span>
      <span className={styles.who}>
        <strong>{said === "" ? "says nothing of itself" : said}</strong>
        <span className={styles.facts}>
          {at === 0 ? "holds it" : "waits"}{since !== undefined && `, in line for ${since}`}, since revision {count(place.revision)}, lease{" "}
          <a className="mono" href={link("leases", hexId(place.lease))}>{hexId(place.lease)}</a>
        </span>
      </span>
      <span className={styles.actions}>
        {mayChange && <Button look="danger" onClick={() => setOpen(true)}>{at === 0 ? "Release…" : "Take out…"}</Button>}
        <CopyAs commands={[...releaseCommands(name, place.lease), { label: "Copy key", text: show(place.key) }]} />
      </span>
      {isOpen && (
        <Deed
          danger
          title={at === 0 ? `Release ${show(name)}?` : "Take it out of the line?"}
          about={at === 0 ? "Whoever holds it is not asked: it may still do what the lock is for, while the next one begins. Its lease ends with it." : "Its lease ends with its place."}
          deed={at === 0 ? "Release" : "Take out"}
          {...(at === 0 && { typed: show(name) })}
          commands={releaseCommands(name, place.lease)}
          run={run}
          onClose={() => setOpen(false)}
        />
      )}
    </li>
  );
}
