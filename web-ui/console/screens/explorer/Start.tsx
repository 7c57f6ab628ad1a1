// Where to begin.
import { link } from "../../parts/route";
import { Converter } from "./Converter";
import styles from "./Explorer.module.css";
import { Prose } from "./Prose";
import type { Spec } from "../../model/spec";

const STEPS = [
  ["keysPut", "Put a key", "Its name is the path, its value the body."],
  ["keysGet", "Read it", "The value as it is, what else is known of it in headers."],
  ["keysList", "List keys", "A level at a time, or all below a prefix."],
  ["watchEvents", "Watch them change", "Events, for as long as they are read."],
  ["transactionsRun", "Change several at once", "If what is said of them beforehand holds."],
  ["leasesGrant", "Let keys end by themselves", "A lease, and keys that are bound to it."],
  ["kvRange", "Speak etcd's API", "The calls of etcd, as JSON; bytes are base64 there."],
  ["maintenanceSnapshotFile", "Take a backup", "The database as a file."],
] as const;

export function Start({ spec, wanted }: { spec: Spec; wanted: string }) {
  return (
    <article className={styles.operation}>
      <h1 className={styles.title}>{spec.info.title} <span className={styles.hint}>{spec.info.version}</span></h1>
      {wanted !== "" && <p role="alert">There is no operation <code>{wanted}</code>.</p>}
      <Prose text={spec.info.description} />
      <h2 className={styles.section}>Where to begin</h2>
      <ol className={styles.steps}>
        {STEPS.filter(([id]) => spec.operations.some(({ operationId }) => operationId === id)).map(([id, title, text]) => (
          <li key={id}><a href={link("explorer", id)}>{title}</a><span className={styles.hint}>{text}</span></li>
        ))}
      </ol>
      <Converter />
    </article>
  );
}
