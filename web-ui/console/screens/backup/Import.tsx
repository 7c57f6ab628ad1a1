// Import: a file is compared with what is there, and nothing is written before somebody has seen what would change.
import { useState } from "react";

import { there } from "../../api/transfer";
import { type Key, show } from "../../model/keys";
import { sharedBy } from "../../model/lifetimes";
import { bytes, count, plural } from "../../model/text";
import { type Entry, type Plan, entriesOf, parse, planOf, scopeOf } from "../../model/transfer";
import { Button } from "../../parts/Button";
import { Card, Note, Tag } from "../../parts/Page";
import styles from "./Backup.module.css";
import { Changes } from "./Changes";
import { Go } from "./Go";
import { MOST_BYTES, MOST_LEASES, MOST_YAML_BYTES } from "./limits";

const YAML = /\.ya?ml$/i;

/** The keys of a file, read by its name: the library for YAML is loaded where one is needed. */
async function entriesIn(file: File): Promise<Entry[]> {
  const isYaml = YAML.test(file.name);
  const most = isYaml ? MOST_YAML_BYTES : MOST_BYTES;
  if (file.size > most) throw new Error(`The file has ${bytes(file.size)}, and ${bytes(most)} are what a page can compare. Import it in parts.`);
  const text = await file.text();
  return isYaml ? entriesOf((await import("../../model/yaml")).entriesOf(text)) : parse(text);
}

interface Compared {
  name: string;
  entries: readonly Entry[];
  scope: Key;
  plan: Plan;
  /** Leases that the file tells of. */
  leases: number;
}

interface How {
  /** What is not in the file is deleted. */
  removes: boolean;
  /** Keys have the times to live that the file tells. */
  lives: boolean;
}

export function Import() {
  const [compared, setCompared] = useState<Compared>();
  const [how, setHow] = useState<How>({ removes: false, lives: true });
  const [busy, setBusy] = useState<string>();
  const [error, setError] = useState<string>();
  const [isSure, setSure] = useState(false);

  const compare = async (name: string, entries: readonly Entry[], { removes, lives }: How): Promise<void> => {
    const [scope, leases] = [scopeOf(entries), sharedBy(entries).size];
    const now = await there(scope, (so) => setBusy(`Comparing with ${plural(so, "key")}`));
    setCompared({ name, entries, scope, leases, plan: planOf(entries, now, removes, lives && leases <= MOST_LEASES) });
  };
  const guarded = async (run: () => Promise<void>): Promise<void> => {
    setError(undefined);
    setBusy("Reading");
    try {
      await run();
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
    setBusy(undefined);
  };
  const read = (file: File | undefined): void => {
    setCompared(undefined);
    if (!file) return;
    void guarded(async () => {
      const entries = await entriesIn(file);
      if (entries.length === 0) throw new Error("There are no keys in the file");
      await compare(file.name, entries, how);
    });
  };
  const again = (to: Partial<How> = {}): void => {
    const now = { ...how, ...to };
    setHow(now);
    if (compared) void guarded(() => compare(compared.name, compared.entries, now));
  };

  return (
    <Card title="Import a subtree">
      <p className={styles.text}>From a file that was exported here, or of lines like <code>{'{"key":"app/a","value":"1"}'}</code>. In YAML it is a list of such entries, or just <code>app/a: 1</code>: all values are text there, as they are written. First you see what would change; nothing is written before.</p>
      <div className={styles.line}>
        <label className={styles.file}>
          <span>A file: NDJSON, JSON or YAML</span>
          <input type="file" accept=".json,.ndjson,.jsonl,.yaml,.yml,application/json,application/x-ndjson,application/yaml" onChange={(event) => read(event.target.files?.[0])} />
        </label>
        <label className={styles.check}>
          <input type="checkbox" checked={how.removes} disabled={busy !== undefined} onChange={(event) => again({ removes: event.target.checked })} />
          Delete keys that are not in the file
        </label>
        {compared && compared.leases > 0 && compared.leases <= MOST_LEASES && (
          <label className={styles.check}>
            <input type="checkbox" checked={how.lives} disabled={busy !== undefined} onChange={(event) => again({ lives: event.target.checked })} />
            Keep times to live
          </label>
        )}
        {busy !== undefined && <span className={styles.soft} role="status">{busy}</span>}
      </div>
      {error !== undefined && <p className={styles.error} role="alert">{error}</p>}
      {compared && compared.leases > MOST_LEASES && <Note>The file has {count(compared.leases)} leases, and {count(MOST_LEASES)} are what an import grants: its keys come without times to live. Import it in parts to keep them.</Note>}
      {compared && <Compare compared={compared} isBusy={busy !== undefined} onLook={() => again()} onGo={() => setSure(true)} />}
      {isSure && compared && <Go plan={compared.plan} onDone={() => again()} onClose={() => setSure(false)} />}
    </Card>
  );
}

function Compare({ compared: { plan, scope }, isBusy, onLook, onGo }: { compared: Compared; isBusy: boolean; onLook: () => void; onGo: () => void }) {
  const leases = sharedBy(plan.changes).size;
  const number = (kind: string): number => plan.changes.filter((change) => change.kind === kind).length;
  return (
    <>
      <p className={styles.sums} role="status">
        <Tag look="good">{count(number("create"))} new</Tag>
        <Tag look="warn">{count(number("change"))} changed</Tag>
        <Tag look={number("delete") > 0 ? "bad" : undefined}>{count(number("delete"))} deleted</Tag>
        <Tag>{count(plan.same)} the same</Tag>
        {leases > 0 && <Tag>{plural(leases, "lease")} granted</Tag>}
        <span className={styles.soft}>below <code>{scope === "" ? "all keys" : show(scope)}</code>{plan.kept > 0 && `, where ${plural(plan.kept, "other key stays", "other keys stay")}`}</span>
      </p>
      {plan.changes.length > 0 && <Changes changes={plan.changes} />}
      <div className={styles.foot}>
        <Button disabled={isBusy} onClick={onLook}>Compare again</Button>
        <Button look="main" disabled={isBusy || plan.changes.length === 0} onClick={onGo}>Import…</Button>
      </div>
    </>
  );
}
