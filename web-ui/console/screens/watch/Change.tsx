// One change: what was there before, and after.
import { valueOf } from "../../api/changes";
import { show } from "../../model/keys";
import { type Entry, isChange } from "../../model/events";
import { bytes, count } from "../../model/text";
import { Button } from "../../parts/Button";
import { link } from "../../parts/route";
import { ValueDiff } from "../../parts/ValueDiff";
import { ValueView } from "../../parts/ValueView";
import styles from "./Watch.module.css";

/** Larger values are shown, and not compared: it would take long. */
const MOST_COMPARED = 128 * 1024;

export function Change({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  if (!isChange(entry)) return <section className={styles.detail}><Head title="A seam in the stream" onClose={onClose} /><p className={styles.facts}>{entry.text}</p></section>;
  const [before, after] = [valueOf(entry.data, "before"), entry.kind === "put" ? valueOf(entry.data, "after") : undefined];
  const isSmall = (before?.length ?? 0) + (after?.length ?? 0) <= MOST_COMPARED;
  const deed = entry.kind === "delete" ? "Deleted" : before ? "Changed" : "Created";
  return (
    <section className={styles.detail} aria-label="The chosen change">
      <Head title={show(entry.key)} onClose={onClose} />
      <p className={styles.facts}>
        {deed} at revision {count(entry.revision)}, {new Date(entry.at).toLocaleTimeString()}{after && `, ${bytes(after.length)}`}.{" "}
        <a href={link("keys", entry.key)}>Open the key</a>
      </p>
      {before && after && isSmall && (
        <>
          <h2>Before and after</h2>
          <ValueDiff before={before} after={after} label="Before and after" />
        </>
      )}
      {after && (<><h2>After</h2><ValueView bytes={after} label="The value after" /></>)}
      {before && (!after || !isSmall) && (<><h2>Before</h2><ValueView bytes={before} label="The value before" /></>)}
    </section>
  );
}

function Head({ title, onClose }: { title: string; onClose: () => void }) {
  return (
    <div className={styles.line}>
      <h1>{title}</h1>
      <Button look="quiet" icon="close" aria-label="Close the change" onClick={onClose} />
    </div>
  );
}
