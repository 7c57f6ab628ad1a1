// What the asked member did of late.
import { useMemo } from "react";

import { Problem } from "../../api/problem";
import type { Sample } from "../../api/overview";
import { bytes, count, plural } from "../../model/text";
import { LineChart } from "../../parts/LineChart";
import { Failed, Loading } from "../../parts/States";
import styles from "./Charts.module.css";
import { useSamples } from "./useOverview";

const rate = (value: number): string => `${value >= 10 || Number.isInteger(value) ? count(Math.round(value)) : value.toFixed(1)}/s`;
const milliseconds = (value: number): string => `${value >= 10 ? Math.round(value) : value.toFixed(value === 0 ? 0 : 1)} ms`;

export function Charts() {
  const { data, error, refetch } = useSamples();
  const isForOthers = error instanceof Problem && (error.status === 401 || error.status === 403);
  return (
    <section aria-labelledby="charts" className={styles.section}>
      <h2 id="charts" className={styles.title}>The asked member, of late</h2>
      {isForOthers && <p className={styles.note}>What a member does is for users with the role root to see.</p>}
      {error && !isForOthers && !data && <Failed error={error} again={() => void refetch()} />}
      {!data && !error && <Loading what="samples" />}
      {data?.length === 0 && <p className={styles.note}>The first sample comes within five seconds.</p>}
      {data && data.length > 0 && <All samples={data} />}
    </section>
  );
}

function All({ samples }: { samples: readonly Sample[] }) {
  const drawn = useMemo(() => {
    const times = samples.map(({ time }) => Date.parse(time) / 1_000);
    const of = (value: (sample: Sample) => number | undefined) => samples.map((sample) => value(sample) ?? null);
    const perSecond = (name: "reads" | "writes" | "events") => of((sample) => sample[name] / (sample.seconds || 1));
    const inMs = (name: "put_p50" | "put_p99" | "fsync_p99") => of((sample) => sample[name] === undefined ? undefined : sample[name] * 1_000);
    return {
      times,
      requests: [
        { label: "reads", colour: "--accent", values: perSecond("reads") },
        { label: "writes", colour: "--code-text", values: perSecond("writes") },
      ],
      latency: [
        { label: "put, half", colour: "--accent", values: inMs("put_p50") },
        { label: "put, 99 of 100", colour: "--code-text", values: inMs("put_p99") },
        { label: "sync, 99 of 100", colour: "--code-number", values: inMs("fsync_p99") },
      ],
      watching: [{ label: "events", colour: "--accent", values: perSecond("events") }],
      memory: [
        { label: "process", colour: "--accent", values: of(({ resident_bytes: resident }) => resident) },
        { label: "database", colour: "--code-text", values: of(({ db_size: size }) => size) },
      ],
    };
  }, [samples]);
  const { times } = drawn;
  const last = samples.at(-1);
  return (
    <>
      {last && (
        <p className={styles.note}>
          {plural(last.keys, "key")}, {plural(last.leases, "lease")}, {plural(last.watchers, "watcher")} on {plural(last.watch_streams, "stream")},{" "}
          {plural(last.connections, "connection")}
        </p>
      )}
      <div className={styles.charts}>
        <LineChart title="Requests" times={times} series={drawn.requests} write={rate} />
        <LineChart title="Latency" times={times} series={drawn.latency} write={milliseconds} />
        <LineChart title="Watching" times={times} series={drawn.watching} write={rate} />
        <LineChart title="Memory and disk" times={times} series={drawn.memory} write={bytes} isSize />
      </div>
    </>
  );
}
