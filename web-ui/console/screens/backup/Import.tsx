// Import: a file is compared with what is there, and nothing is written before somebody has seen what would change.
import { useState } from "react";

import { address } from "../../api/base";
import { Problem } from "../../api/problem";
import { apply, there } from "../../api/transfer";
import { curl } from "../../model/copy";
import { type Key, show } from "../../model/keys";
import { bytes, count, plural } from "../../model/text";
import { type Entry, type Plan, batches, entriesOf, parse, planOf, scopeOf } from "../../model/transfer";
import { Button } from "../../parts/Button";
import { Deed } from "../../parts/Deed";
import { Card, Note, Tag } from "../../parts/Page";
import { toast } from "../../parts/Toasts";
import styles from "./Backup.module.css";
import { Changes } from "./Changes";

const MOST_BYTES = 64 * 1024 * 1024;
/** Reading YAML takes a multiple of its size, and a while. */
const MOST_YAML_BYTES = 8 * 1024 * 1024;
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
}

export function Import() {
  const [compared, setCompared] = useState<Compared>();
  const [removes, setRemoves] = useState(false);
  const [busy, setBusy] = useState<string>();
  const [error, setError] = useState<string>();
  const [isSure, setSure] = useState(false);

  const compare = async (name: string, entries: readonly Entry[], isRemoved: boolean): Promise<void> => {
    const scope = scopeOf(entries);
    const now = await there(scope, (so) => setBusy(`Comparing with ${plural(so, "key")}`));
    setCompared({ name, entries, scope, plan: planOf(entries, now, isRemoved) });
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
      await compare(file.name, entries, removes);
    });
  };
  const again = (isRemoved: boolean): void => {
    setRemoves(isRemoved);
    if (compared) void guarded(() => compare(compared.name, compared.entries, isRemoved));
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
          <input type="checkbox" checked={removes} disabled={busy !== undefined} onChange={(event) => again(event.target.checked)} />
          Delete keys that are not in the file
        </label>
        {busy !== undefined && <span className={styles.soft} role="status">{busy}</span>}
      </div>
      {error !== undefined && <p className={styles.error} role="alert">{error}</p>}
      {compared && <Compare compared={compared} isBusy={busy !== undefined} onLook={() => again(removes)} onGo={() => setSure(true)} />}
      {isSure && compared && <Go compared={compared} onDone={() => again(removes)} onClose={() => setSure(false)} />}
    </Card>
  );
}

function Compare({ compared: { plan, scope }, isBusy, onLook, onGo }: { compared: Compared; isBusy: boolean; onLook: () => void; onGo: () => void }) {
  const number = (kind: string): number => plan.changes.filter((change) => change.kind === kind).length;
  return (
    <>
      <p className={styles.sums} role="status">
        <Tag look="good">{count(number("create"))} new</Tag>
        <Tag look="warn">{count(number("change"))} changed</Tag>
        <Tag look={number("delete") > 0 ? "bad" : undefined}>{count(number("delete"))} deleted</Tag>
        <Tag>{count(plan.same)} the same</Tag>
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

function Go({ compared: { plan }, onDone, onClose }: { compared: Compared; onDone: () => void; onClose: () => void }) {
  const [done, setDone] = useState(0);
  const all = batches(plan.changes);
  const first = all.length === 1 && all[0] ? [{ label: "Copy as curl", text: curl({ url: address("v3/keys:batch").href, method: "POST", body: JSON.stringify(all[0]) }) }] : [];
  const deleted = plan.changes.filter(({ kind }) => kind === "delete").length;
  const run = async (): Promise<void> => {
    for (const [at, batch] of all.entries()) {
      try {
        await apply(batch);
      } catch (failure) {
        if (at > 0) onDone();
        const what = at === 0 ? "Nothing was written" : `${count(at)} of ${count(all.length)} batches were written, the rest was not`;
        if (failure instanceof Problem && failure.status === 412) throw new Error(`A key has changed since it was compared. ${what}: compare again.`, { cause: failure });
        throw new Error(`${failure instanceof Error ? failure.message : String(failure)}. ${what}.`, { cause: failure });
      }
      setDone(at + 1);
    }
    toast({ text: `Imported: ${plural(plan.changes.length, "key has", "keys have")} changed` });
    onDone();
  };
  return (
    <Deed danger={deleted > 0} title={`Change ${plural(plan.changes.length, "key")}?`} about="Only if each of them is still what it was compared with." deed="Import" typed={deleted > 0 ? `delete ${deleted}` : undefined} commands={first} run={run} onClose={onClose}>
      {deleted > 0 && <Note danger>{plural(deleted, "key is", "keys are")} deleted.</Note>}
      {all.length > 1 && <Note>They go in {count(all.length)} batches, each whole or not at all. {done > 0 && `${count(done)} are done.`}</Note>}
    </Deed>
  );
}
