// Keys: a level at the left, the open key at the right.
import { Suspense, lazy, useMemo, useState } from "react";

import { useMayChange } from "../../api/settings";
import { type Key, show } from "../../model/keys";
import { Empty } from "../../parts/States";
import { type Route, go } from "../../parts/route";
import { useKey } from "../../parts/useKey";
import { useOwn } from "../may";
import { Bar } from "./Bar";
import { Detail } from "./Detail";
import styles from "./Keys.module.css";
import { List } from "./List";
import { NewKey } from "./NewKey";
import { addressOf, placeOf } from "./place";
import { Visits } from "./Visits";

/** They are rare. */
const Move = lazy(() => import("./chosen/Move"));
const RemoveBelow = lazy(() => import("./RemoveBelow"));

export default function Keys({ route }: { route: Route }) {
  const { rest } = route;
  const query = route.query.toString();
  // The same place is the same object, so that nothing is asked for anew.
  const place = useMemo(() => placeOf({ screen: "keys", rest, query: new URLSearchParams(query) }), [rest, query]);
  const search = useStable(place.search);
  const [isNew, setNew] = useState(false);
  const [removed, setRemoved] = useState<Key>();
  const [moved, setMoved] = useState<Key>();
  const mayWrite = useOwn()?.write.length !== 0;
  const mayChange = useMayChange() && mayWrite;

  useKey("n", mayChange ? () => setNew(true) : undefined);

  const { prefix, key, by } = place;
  return (
    <div className={`${styles.keys} ${key === undefined ? "" : styles.open}`}>
      {key === undefined && <h1 className="unseen">{prefix === "" ? "All keys" : `Keys below ${show(prefix)}`}</h1>}
      <section className={styles.level} aria-label={prefix === "" ? "All keys" : `Keys below ${show(prefix)}`}>
        <Bar place={place} onNew={mayChange ? () => setNew(true) : undefined} onMove={mayChange ? () => setMoved(prefix) : undefined} onRemove={mayChange ? () => setRemoved(prefix) : undefined} />
        <List key={`${prefix} ${by} ${JSON.stringify(search ?? null)}`} place={place} search={search} open={key} onNew={mayChange ? () => setNew(true) : undefined} mayChange={mayChange} />
      </section>
      <section className={styles.detail} aria-label="The open key">
        {key === undefined ? (
          <>
            <Empty title="No key is open">{mayChange ? <>Choose one at the left, or press <kbd>n</kbd> for a new one.</> : "Choose one at the left."}</Empty>
            <Visits />
          </>
        ) : (
          <Detail key={`${key} ${place.rev ?? ""}`} name={key} rev={place.rev} by={by} onClose={() => go(addressOf({ ...place, key: undefined, rev: undefined }))} />
        )}
      </section>
      {removed !== undefined && <Suspense><RemoveBelow prefix={removed} by={by} onClose={() => setRemoved(undefined)} /></Suspense>}
      {moved !== undefined && (
        <Suspense>
          <Move rows={[{ kind: "level", key: moved }]} from={moved} onClose={(_, onto) => { setMoved(undefined); if (onto !== undefined) go(addressOf({ prefix: onto, by })); }} />
        </Suspense>
      )}
      {isNew && <NewKey below={prefix} by={by} onClose={() => setNew(false)} />}
    </div>
  );
}

function useStable<T>(value: T): T {
  const text = JSON.stringify(value ?? null);
  return useMemo(() => (JSON.parse(text) ?? undefined) as T, [text]);
}
