// A metric with its series, and what it was of late.
import { useState } from "react";

import type { Family as FamilyOf, Series } from "../../model/metrics";
import { type Log, last, rates, spreads, sums } from "../../model/readings";
import { count } from "../../model/text";
import { Button } from "../../parts/Button";
import { LineChart } from "../../parts/LineChart";
import { Card, Table } from "../../parts/Page";
import { Sparkline } from "../../parts/Sparkline";
import styles from "./Metrics.module.css";
import { isSize, plain, writerOf } from "./write";

const MOST_SHOWN = 50;

export function Family({ family, log, close }: { family: FamilyOf; log: Log; close: string }) {
  const { name, help, type, series } = family;
  const [most, setMost] = useState(MOST_SHOWN);
  const isCounted = type === "counter" || type === "histogram";
  const unit = writerOf(name);
  const write = type === "histogram" ? plain : unit;
  const values = sums(log, series.map(({ id }) => id));
  const below = type === "histogram" ? spreads(log, family) : undefined;
  return (
    <Card title={<span className="mono">{name}</span>} tools={<a href={close}>Close</a>}>
      <p className={styles.help}>{help} A {type === "untyped" ? "metric" : type} of {count(series.length)} series.</p>
      <div className={styles.charts}>
        {isCounted
          ? <LineChart title="A second" times={log.times} write={write} series={[{ label: "all", colour: "--accent", values: rates(log.times, values) }]} />
          : <LineChart title="Value" times={log.times} write={write} isSize={isSize(name)} series={[{ label: series.length > 1 ? "sum" : "now", colour: "--accent", values }]} />}
        {below && (
          <LineChart
            title="Below"
            times={log.times}
            write={unit}
            series={[{ label: "half", colour: "--accent", values: below.half }, { label: "99 of 100", colour: "--code-text", values: below.most }]}
          />
        )}
      </div>
      <Table label={`Series of ${name}`} columns={["Labels", "Now", "A second", "_Of late"]}>
        {series.slice(0, most).map((each) => <One key={each.id} series={each} log={log} isCounted={isCounted} write={write} />)}
      </Table>
      {series.length > most && <Button onClick={() => setMost(most + MOST_SHOWN)}>{count(series.length - most)} more series</Button>}
    </Card>
  );
}

function One({ series, log, isCounted, write }: { series: Series; log: Log; isCounted: boolean; write: (value: number) => string }) {
  const values = sums(log, [series.id]);
  const perSecond = isCounted ? rates(log.times, values) : values;
  const [now, rate] = [last(values), isCounted ? last(perSecond) : undefined];
  return (
    <tr>
      <td><div className={styles.labels}>{series.labels.length === 0 ? <span className={styles.soft}>no labels</span> : series.labels.map(([label, value]) => <code key={label}>{label}={JSON.stringify(value)}</code>)}</div></td>
      <td data-label="Now" className={styles.number}>{now === undefined ? "–" : write(now)}</td>
      <td data-label="A second" className={styles.number}>{rate === undefined ? "–" : write(rate)}</td>
      <td><Sparkline values={perSecond} /></td>
    </tr>
  );
}
