// All that the asked member counts, live.
import { Fragment } from "react";

import { endpoint } from "../../api/base";
import { metricsAddress } from "../../api/metrics";
import { Problem } from "../../api/problem";
import { curl } from "../../model/copy";
import { type Family as FamilyOf, MOST_SERIES, matches } from "../../model/metrics";
import { type Log, last, rates, spread, sums } from "../../model/readings";
import { count, plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Choice } from "../../parts/Fields";
import { Card, Note, Page, Table, Tag } from "../../parts/Page";
import { type Route, go, link } from "../../parts/route";
import { Sparkline } from "../../parts/Sparkline";
import { Empty, Failed, Loading } from "../../parts/States";
import { Family } from "./Family";
import styles from "./Metrics.module.css";
import { EVERY_SECONDS, useMetrics } from "./useMetrics";
import { plain, writerOf } from "./write";

const TYPES = [["", "all types"], ["counter", "counters"], ["gauge", "gauges"], ["histogram", "histograms"]] as const;

export default function Metrics({ route }: { route: Route }) {
  const { data, error, refetch, log } = useMetrics();
  const [filter, name] = [route.query.get("filter") ?? "", decodeURIComponent(route.rest)];
  const type = TYPES.find(([each]) => each === route.query.get("type"))?.[0] ?? "";
  const found = data?.families.filter((family) => matches(family, filter) && (type === "" || family.type === type)) ?? [];
  const open = data?.families.find((family) => family.name === name);
  const narrowed = (to: { filter?: string; type?: string }): void => go(link("metrics", route.rest, { filter, type, ...to }), { replace: true });
  const commands = [
    { label: "Copy as curl", text: curl({ url: metricsAddress() }) },
    { label: "Copy link", text: new URL(link("metrics", route.rest, { filter, type }), document.baseURI).href },
  ];
  return (
    <Page
      title="Metrics"
      about={<>What the member at <code>{endpoint}</code> counts, as Prometheus reads it at <code>/metrics</code>: every {EVERY_SECONDS} seconds while the page is seen, and the last ten minutes of it.</>}
      tools={<CopyAs commands={commands} />}
    >
      {!data && !error && <Loading what="metrics" />}
      {error && !data && (isKept(error) ? (
        <div role="alert">
          <Empty title="The metrics are not passed on">
            <p>What stands between this page and the member answers <code>/metrics</code> with {error.status}. The member itself shows them to everybody who reaches its port, and at <code>--listen-metrics-urls</code> where it has that.</p>
            <Button onClick={() => void refetch()}>Try again</Button>
          </Empty>
        </div>
      ) : <Failed error={error} again={() => void refetch()} />)}
      {error && data && <Note danger>The last reading failed: {error.message}. What is shown is older.</Note>}
      {data?.isCut && <Note>The first {count(MOST_SERIES)} series are shown. Prometheus reads all of them.</Note>}
      {data && name !== "" && !open && <Note>There is no metric <code>{name}</code> here.</Note>}
      {open && <Family key={open.name} family={open} log={log} close={link("metrics", "", { filter, type })} />}
      {data && (
        <Card
          flush
          title={found.length === data.families.length ? plural(found.length, "metric") : `${count(found.length)} of ${plural(data.families.length, "metric")}`}
          tools={(
            <>
              <input data-search type="search" className={styles.search} aria-label="Find metrics" placeholder="Find metrics: wal fsync" value={filter} onChange={(event) => narrowed({ filter: event.target.value })} />
              <Choice label="Which types" value={type} options={TYPES} onChoose={(to) => narrowed({ type: to })} />
            </>
          )}
        >
          {found.length === 0 && <Empty title="No metric has all of these words" />}
          {found.length > 0 && (
            <Table label="Metrics" columns={["Metric", "Type", "Now", "A second", "Half, 99 of 100 below", "_Of late"]}>
              {found.map((family) => <Row key={family.name} family={family} log={log} href={link("metrics", family.name, { filter, type })} isOpen={family === open} />)}
            </Table>
          )}
        </Card>
      )}
    </Page>
  );
}

/** Members refuse nobody: if it is refused, it is by what stands before them. */
function isKept(error: unknown): error is Problem {
  return error instanceof Problem && (error.status === 403 || error.status === 404);
}

function Row({ family, log, href, isOpen }: { family: FamilyOf; log: Log; href: string; isOpen: boolean }) {
  const { name, help, type, series } = family;
  const values = sums(log, series.map(({ id }) => id));
  const isCounted = type === "counter" || type === "histogram";
  const perSecond = isCounted ? rates(log.times, values) : values;
  const [now, rate] = [last(values), isCounted ? last(perSecond) : undefined];
  // What a histogram counts are events, whatever unit they are measured in.
  const write = type === "histogram" ? plain : writerOf(name);
  return (
    <tr>
      <td><div className={styles.about}><a className="mono" href={href} aria-current={isOpen ? "true" : undefined}>{name.split(/(?<=_)/).map((part, at) => <Fragment key={at}>{part}<wbr /></Fragment>)}</a><span>{help}</span></div></td>
      <td data-label="Type"><Tag>{type}</Tag></td>
      <td data-label="Now" className={styles.number}>{now === undefined ? "–" : write(now)}</td>
      <td data-label="A second" className={`${styles.number} ${isCounted ? "" : styles.none}`}>{rate === undefined ? "–" : write(rate)}</td>
      <td data-label="Half, 99 of 100 below" className={`${styles.number} ${type === "histogram" ? "" : styles.none}`}>{type === "histogram" ? <Below family={family} log={log} /> : "–"}</td>
      <td><Sparkline values={perSecond} /></td>
    </tr>
  );
}

function Below({ family, log }: { family: FamilyOf; log: Log }) {
  const { half, most, isOfAll } = spread(log, family);
  const write = writerOf(family.name);
  if (half === undefined || most === undefined) return "–";
  return <>{write(half)}, {write(most)}{isOfAll && <span className={styles.soft}> since the start</span>}</>;
}
