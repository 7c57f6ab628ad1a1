// Changes as they happen: the newest at the top.
import { useEffect, useMemo, useRef, useState } from "react";

import { valueOf } from "../../api/changes";
import { type Entry, type Log, MOST_ENTRIES, isChange, ndjson } from "../../model/events";
import { show } from "../../model/keys";
import { isKubernetes } from "../../model/kubernetes";
import { bytes, count, plural } from "../../model/text";
import { save } from "../../parts/file";
import { Icon } from "../../parts/Icon";
import type { Route } from "../../parts/route";
import { Empty } from "../../parts/States";
import { useKey } from "../../parts/useKey";
import { VirtualList } from "../../parts/VirtualList";
import { Failure } from "../Failure";
import { Bar } from "./Bar";
import { Change } from "./Change";
import { First } from "./First";
import { wantedOf } from "./place";
import { useLog } from "./useLog";
import styles from "./Watch.module.css";

export default function Watch({ route }: { route: Route }) {
  const wanted = wantedOf(route);
  const { log, rate, clear, refused, again } = useLog(wanted);
  useUnseen(log.seen);
  const [paused, setPaused] = useState<Log>();
  const [chosen, setChosen] = useState<Entry>();
  const [at, setAt] = useState<number>();
  const shown = paused ?? log;
  const isOn = wanted.prefixes.length + wanted.keys.length > 0;
  const rows = useMemo(
    () => shown.entries.filter(({ kind }) => (kind !== "put" || wanted.puts) && (kind !== "delete" || wanted.deletes)).reverse(),
    [shown, wanted.puts, wanted.deletes],
  );
  const pause = (): void => setPaused(paused ? undefined : log);
  useKey("p", isOn ? pause : undefined);
  useKey("Escape", chosen ? () => setChosen(undefined) : undefined);

  const cleared = (): void => { clear(); setPaused(undefined); setChosen(undefined); };
  const exported = (): void => save("changes.ndjson", [ndjson(shown.entries)], "application/x-ndjson");
  return (
    <div className={styles.watch}>
      <h1 className="unseen">Watch</h1>
      <Bar wanted={wanted} isPaused={paused !== undefined} isEmpty={shown.entries.length === 0} onPause={pause} onClear={cleared} onExport={exported} />
      {!isOn && <First />}
      {isOn && (
        <div className={`${styles.panes} ${chosen ? styles.open : ""}`}>
          <section className={styles.list} aria-label="Changes">
            {refused && <Failure error={refused} again={again} wish="watch all of these keys" />}
            {!refused && rows.length === 0 && (
              <Empty title="Waiting for a change"><p>Nothing has happened to these keys since you began to look. What happens is here at once.</p></Empty>
            )}
            {rows.length > 0 && (
              <VirtualList
                label="Changes, the newest first"
                count={rows.length}
                rowHeight={30}
                active={at === undefined ? -1 : rows.findIndex(({ number }) => number === at)}
                onActive={(index) => setAt(rows[index]?.number)}
                onOpen={(index) => setChosen(rows[index])}
                idOf={(index) => `change-${rows[index]?.number ?? 0}`}
                row={(index) => { const entry = rows[index]; return entry && <Row entry={entry} />; }}
              />
            )}
            <Foot log={log} shown={rows.length} paused={paused} rate={rate} />
          </section>
          {chosen && <Change key={chosen.number} entry={chosen} onClose={() => setChosen(undefined)} />}
        </div>
      )}
    </div>
  );
}

/** Changes that came while nobody looked at the page are counted in its title. */
function useUnseen(seen: number): void {
  const looked = useRef(seen);
  useEffect(() => {
    const tell = (): void => {
      if (!document.hidden || seen < looked.current) looked.current = seen;
      const unseen = seen - looked.current;
      document.title = `${unseen > 0 ? `(${count(unseen)}) ` : ""}Watch · Keyport`;
    };
    tell();
    document.addEventListener("visibilitychange", tell);
    return () => document.removeEventListener("visibilitychange", tell);
  }, [seen]);
}

function Row({ entry }: { entry: Entry }) {
  if (!isChange(entry)) {
    return <div className={styles.gap} title={entry.text}><Icon name={entry.kind === "resumed" ? "history" : "alert"} size={14} /><span>{entry.text}</span></div>;
  }
  return (
    <div className={styles.row}>
      <span className={styles.time}>{new Date(entry.at).toLocaleTimeString([], { hour12: false })}</span>
      <span className={styles[entry.kind]}>{entry.kind}</span>
      <span className={styles.key} title={show(entry.key)}>{show(entry.key)}</span>
      <span className={styles.value}>{entry.kind === "put" ? summary(valueOf(entry.data, "after") ?? new Uint8Array()) : ""}</span>
      <span className={styles.rev}>{count(entry.revision)}</span>
    </div>
  );
}

const MOST_SHOWN = 120;

function summary(value: Uint8Array): string {
  const start = value.subarray(0, MOST_SHOWN);
  if (isKubernetes(value)) return `Kubernetes object, ${bytes(value.length)}`;
  // A character may be cut at the end; what else is no text is binary.
  const text = new TextDecoder().decode(start, { stream: true });
  // eslint-disable-next-line no-control-regex -- those are of no text
  return /[\ufffd\u0000-\u0008\u000e-\u001f]/.test(text) ? `binary, ${bytes(value.length)}` : text.replace(/\s+/g, " ");
}

function Foot({ log, shown, paused, rate }: { log: Log; shown: number; paused: Log | undefined; rate: number }) {
  const waiting = paused ? log.seen - paused.seen : 0;
  return (
    <div className={styles.foot}>
      <span>{plural(log.seen, "change")}, {count(shown)} shown</span>
      <span>{count(rate)} a second</span>
      {log.dropped > 0 && <span className={styles.dropped}>{count(log.dropped)} older ones dropped: the last {count(MOST_ENTRIES)} are kept</span>}
      {paused && <span role="status" className={styles.dropped}>Paused{waiting > 0 && `: ${plural(waiting, "newer one", "newer ones")}`}</span>}
    </div>
  );
}
