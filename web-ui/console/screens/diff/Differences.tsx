// Differences: what has become of the keys below a prefix between two revisions.
import { useMemo } from "react";

import { listAddress } from "../../api/compare";
import { endpoint } from "../../api/base";
import { Problem } from "../../api/problem";
import { curl, etcdctl, quotedKey } from "../../model/copy";
import { type Key, show } from "../../model/keys";
import { count, plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { type Command, CopyAs } from "../../parts/CopyAs";
import { Card, Note, Page } from "../../parts/Page";
import { type Route, go } from "../../parts/route";
import { Empty, Loading } from "../../parts/States";
import { Failure } from "../Failure";
import { Between } from "./Between";
import styles from "./Differences.module.css";
import { One } from "./One";
import { type Place, addressOf, placeOf } from "./place";
import { type Compared, MOST, useCompared } from "./useCompared";

export default function Differences({ route }: { route: Route }) {
  const { rest } = route;
  const query = route.query.toString();
  // The same place is the same object, so that nothing is compared anew.
  const place = useMemo(() => placeOf({ screen: "diff", rest, query: new URLSearchParams(query) }), [rest, query]);
  const now = useCompared(place);
  const { prefix } = place;
  const { between } = now;
  return (
    <Page
      title="Differences"
      about="What was added, changed and deleted below a prefix between two revisions of the store, as far back as its history is kept."
      tools={between && <CopyAs commands={commands(prefix, between)} />}
    >
      <Between key={addressOf(place)} place={place} between={between} again={now.again} />
      {now.error === undefined ? <Found prefix={prefix} now={now} /> : <Wrong place={place} now={now} />}
    </Page>
  );
}

function commands(prefix: Key, { from, to }: { from: string; to: string }): Command[] {
  const both = (one: (rev: string) => string): string => `diff <(${one(from)}) <(${one(to)})`;
  const lines = (rev: string): string => curl({ url: listAddress(prefix, rev), headers: { Accept: "application/x-ndjson" } });
  const words = (rev: string): string => etcdctl(endpoint, `get --prefix --rev ${rev} -- ${prefix === "" ? "''" : quotedKey(prefix)}`);
  return [
    { label: "Copy as curl", text: both(lines) },
    { label: "Copy as etcdctl", text: both(words) },
    { label: "Copy link", text: new URL(addressOf({ prefix, from, to }), document.baseURI).href },
  ];
}

function Found({ prefix, now: { found, seen, state, between, more } }: { prefix: Key; now: Compared & { more: () => void } }) {
  if (!between || (state === "going" && found.length === 0 && seen === 0)) return <Loading what="both revisions" />;
  const [added, changed, deleted] = (["added", "changed", "deleted"] as const).map((kind) => found.filter((each) => each.kind === kind).length);
  const below = prefix === "" ? "" : ` below ${show(prefix)}`;
  const looked = `${plural(seen, "key")} looked at${state === "done" ? "" : state === "going" ? ", and looking on" : " so far"}`;
  return (
    <Card
      flush
      title={`From ${count(between.from)} to ${count(between.to)}`}
      tools={<p className={styles.sums} role="status"><span className={styles.added}>{count(added ?? 0)} added</span><span className={styles.changed}>{count(changed ?? 0)} changed</span><span className={styles.deleted}>{count(deleted ?? 0)} deleted</span><span className={styles.soft}>{looked}</span></p>}
    >
      {found.length === 0 && state === "done" && <Empty title="Nothing is different">No key{below} was written or deleted between the two.</Empty>}
      {found.length > 0 && (
        <ul className={styles.list} aria-label="What is different">
          {found.map((each) => <One key={each.key} difference={each} between={between} />)}
        </ul>
      )}
      {state === "waiting" && <p className={styles.foot}><Button onClick={more}>Look on</Button></p>}
      {state === "full" && <p className={styles.foot}><Note>These are the first {count(MOST)}, and there may be more: a longer prefix, or revisions closer to each other, show the rest.</Note></p>}
    </Card>
  );
}

/** Why they cannot be compared; where one is too old, with what is old enough. */
function Wrong({ place, now: { error, again } }: { place: Place; now: Compared & { again: () => void } }) {
  const oldest = error instanceof Problem && error.status === 410 ? error.details.oldest_revision : undefined;
  if (oldest === undefined) return <Failure error={error} again={again} wish={place.prefix === "" ? "read all keys" : `read all keys below ${show(place.prefix)}`} />;
  return (
    <div role="alert">
      <Empty title="It has been compacted">
        <p>What the store was then is not kept any more. The oldest revision that can be read is {count(oldest)}.</p>
        <Button onClick={() => go(addressOf({ ...place, from: oldest, to: place.to !== undefined && BigInt(place.to) < BigInt(oldest) ? undefined : place.to }))}>Compare from {count(oldest)} on</Button>
      </Empty>
    </div>
  );
}
