// Warnings: what the log of the asked member warned of last, as it does.
import { useId, useState } from "react";

import { address } from "../../api/base";
import { curl } from "../../model/copy";
import { count, plural } from "../../model/text";
import { type Warning, fieldsOf, matches } from "../../model/warnings";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Choice } from "../../parts/Fields";
import { save } from "../../parts/file";
import { Card, Page, Tag } from "../../parts/Page";
import { type Route, go, link } from "../../parts/route";
import { Empty, Loading } from "../../parts/States";
import { Failure } from "../Failure";
import { useWarnings } from "./useWarnings";
import styles from "./Warnings.module.css";

const LEVELS = [["all", "warnings and errors"], ["errors", "errors alone"]] as const;
/** Rows that the page has at once. */
const PAGE = 100;

export default function Warnings({ route }: { route: Route }) {
  const { data, error, isPending, refetch } = useWarnings();
  const [text, setText] = useState(route.query.get("find") ?? "");
  const [most, setMost] = useState(PAGE);
  const level = route.query.get("level") === "errors" ? "errors" : "all";
  const found = (data ?? []).filter((line) => matches(line, text, level === "errors")).reverse();
  const place = (to: { level?: string; find?: string }): string => {
    const wish = { level, find: text, ...to };
    return link("warnings", "", { ...(wish.level === "errors" && { level: wish.level }), ...(wish.find !== "" && { find: wish.find }) });
  };
  const url = address("v3/warnings").href;
  const commands = [
    { label: "Copy as curl", text: curl({ url }) },
    { label: "Copy as curl, live", text: curl({ url: address("v3/warnings", { watch: true }).href }).replace("curl -s", "curl -sN") },
    { label: "Copy link", text: new URL(place({}), document.baseURI).href },
  ];
  const exported = (): void => save("warnings.ndjson", found.toReversed().map((line) => `${JSON.stringify(line)}\n`), "application/x-ndjson");
  return (
    <Page title="Warnings" about="What the log of this page’s member warned of last, whatever its level lets through otherwise. Other members have their own." tools={<CopyAs commands={commands} />}>
      {error && !data && <Failure error={error} again={() => void refetch()} wish="see what the log says: that is for users with the role root" />}
      {isPending && <Loading what="warnings" />}
      {data?.length === 0 && <Empty title="Nothing to warn of"><p>Since it was started, this member has had nothing to complain about. What it warns of is here at once.</p></Empty>}
      {data !== undefined && data.length > 0 && (
        <Card
          flush
          title={plural(found.length, "line")}
          tools={
            <>
              <input data-search type="search" className={styles.search} aria-label="Find in the lines" placeholder="Find" value={text} onChange={(event) => { setText(event.target.value); go(place({ find: event.target.value }), { replace: true }); }} />
              <Choice label="Which lines" value={level} options={LEVELS} onChoose={(to) => go(place({ level: to }))} />
              <Button disabled={found.length === 0} onClick={exported}>Export</Button>
            </>
          }
        >
          {found.length === 0 && <p className={styles.none}>No line is like that.</p>}
          <ol className={styles.lines} aria-label="Lines, the newest first">
            {found.slice(0, most).map((line) => <Line key={line.event_id} line={line} />)}
          </ol>
          {found.length > most && <div className={styles.foot}>{count(most)} of {count(found.length)} <Button onClick={() => setMost(most + PAGE)}>More</Button></div>}
        </Card>
      )}
    </Page>
  );
}

function Line({ line }: { line: Warning }) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const fields = fieldsOf(line);
  const at = new Date(line.ts);
  const isToday = at.toDateString() === new Date().toDateString();
  return (
    <li className={styles.line}>
      <button type="button" className={styles.head} aria-expanded={isOpen} aria-controls={id} onClick={() => setOpen(!isOpen)}>
        <time className={styles.time} dateTime={line.ts} title={at.toLocaleString()}>{isToday ? at.toLocaleTimeString([], { hour12: false }) : at.toLocaleString([], { hour12: false })}</time>
        <span className={styles.level}><Tag look={line.level === "warn" ? "warn" : "bad"}>{line.level}</Tag></span>
        <span className={styles.words}>
          <span className={styles.said}>{line.msg}</span>
          {!isOpen && fields.length > 0 && <span className={styles.more}>{fields.map(([name, value]) => `${name}: ${value}`).join(", ")}</span>}
        </span>
      </button>
      <div id={id} hidden={!isOpen} className={styles.open}>
        <dl className={styles.fields}>
          <dt>when</dt><dd>{at.toLocaleString()} <span className={styles.soft}>({line.ts})</span></dd>
          <dt>where</dt><dd className="mono">{line.caller}</dd>
          {fields.map(([name, value]) => [<dt key={`${name} is`}>{name}</dt>, <dd key={name} className={styles.value}>{value === "" ? <span className={styles.soft}>empty</span> : value}</dd>])}
        </dl>
        <CopyAs commands={[{ label: "Copy line", text: JSON.stringify(line) }]} />
      </div>
    </li>
  );
}
