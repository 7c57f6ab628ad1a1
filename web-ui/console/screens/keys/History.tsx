// What the key was, as far back as is known.
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { type Value, type Version, history, put } from "../../api/keys";
import type { Key } from "../../model/keys";
import { bytes, count } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Actions, Dialog } from "../../parts/Dialog";
import { Empty, Loading } from "../../parts/States";
import { toast } from "../../parts/Toasts";
import { ValueDiff } from "../../parts/ValueDiff";
import { Failure } from "../Failure";
import { writeCommands } from "./commands";
import styles from "./History.module.css";
import { addressOf } from "./place";

interface Props {
  name: Key;
  by: Key | undefined;
  now: Value | undefined;
  mayChange: boolean;
}

export function History({ name, by, now, mayChange }: Props) {
  const [restored, setRestored] = useState<Version>();
  /** The one that all others are compared with; each with the one before it, if there is none. */
  const [base, setBase] = useState<Version>();
  const query = useInfiniteQuery({
    queryKey: ["keys", "history", name],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => history(name, pageParam, signal),
    getNextPageParam: (page) => page.before,
  });
  if (query.isPending) return <Loading what="the history" />;
  if (query.error && !query.data) return <Failure error={query.error} again={() => void query.refetch()} wish="read this key" />;
  const versions = query.data.pages.flatMap((page) => page.versions);
  const floor = query.data.pages[0]?.compactRevision ?? "0";
  if (versions.length === 0) return <Empty title="Nothing is known of it">It was never there, or what it was has been compacted.</Empty>;
  return (
    <>
      {base && <p className={styles.base}>All are compared with revision {count(base.modRevision)}. <Button onClick={() => setBase(undefined)}>Each with the one before it</Button></p>}
      <ol className={styles.versions}>
        {versions.map((version, at) => (
          <One
            key={version.modRevision}
            name={name}
            by={by}
            version={version}
            other={base ?? versions[at + 1]}
            hasBase={base !== undefined}
            isBase={base?.modRevision === version.modRevision}
            onBase={() => setBase(base?.modRevision === version.modRevision ? undefined : version)}
            isNow={now?.modRevision === version.modRevision}
            onRestore={mayChange && version.bytes ? () => setRestored(version) : undefined}
          />
        ))}
      </ol>
      {query.hasNextPage && <Button onClick={() => void query.fetchNextPage()}>Older ones</Button>}
      {floor !== "0" && !query.hasNextPage && <p className={styles.floor}>What was before revision {count(floor)} has been compacted.</p>}
      {restored && <Restore name={name} now={now} version={restored} onClose={() => setRestored(undefined)} />}
    </>
  );
}

interface OneProps {
  name: Key;
  by: Key | undefined;
  version: Version;
  other: Version | undefined;
  hasBase: boolean;
  isBase: boolean;
  onBase: () => void;
  isNow: boolean;
  onRestore: (() => void) | undefined;
}

function One({ name, by, version, other, hasBase, isBase, onBase, isNow, onRestore }: OneProps) {
  const [isOpen, setOpen] = useState(false);
  const what = version.bytes === undefined ? "deleted" : version.version === "1" ? "created" : "changed";
  const isLater = other !== undefined && BigInt(other.modRevision) > BigInt(version.modRevision);
  const [before, after] = isLater ? [version, other] : [other, version];
  return (
    <li className={styles.version}>
      <div className={styles.line}>
        <span className="figures">{count(version.modRevision)}</span>
        <span className={styles[what]}>{what}</span>
        <span className={styles.size}>{version.bytes && bytes(version.bytes.length)}{isNow && " · now"}</span>
        <Button look="quiet" icon="diff" className={isBase ? styles.chosen ?? "" : ""} aria-pressed={isBase} aria-label={`Compare all with revision ${version.modRevision}`} title="Compare all with this one" onClick={onBase} />
        <Button look="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>Diff</Button>
        {version.bytes && !isNow && <a href={addressOf({ prefix: "", key: name, rev: version.modRevision, by })}>View</a>}
        {onRestore && !isNow && <Button onClick={onRestore}>Restore</Button>}
      </div>
      {isOpen && <ValueDiff before={before?.bytes} after={after.bytes} label={hasBase && before ? `What changed from revision ${before.modRevision} to ${after.modRevision}` : `What changed at revision ${version.modRevision}`} />}
    </li>
  );
}

function Restore({ name, now, version, onClose }: { name: Key; now: Value | undefined; version: Version; onClose: () => void }) {
  const queries = useQueryClient();
  const [error, setError] = useState<string>();
  const restore = async (): Promise<void> => {
    try {
      const revision = await put(name, { bytes: version.bytes ?? new Uint8Array(), cas: now?.modRevision ?? "0", lease: now?.lease });
      toast({ text: `Restored at revision ${revision}` });
      await queries.invalidateQueries({ queryKey: ["keys"], predicate: ({ queryKey }) => queryKey[1] !== "level" });
      onClose();
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
  };
  return (
    <Dialog wide title={`Restore what it was at revision ${version.modRevision}?`} about="It becomes a new version; what is there now stays in the history." onClose={onClose}>
      <ValueDiff before={now?.bytes} after={version.bytes} label="What is different" />
      {error !== undefined && <p role="alert" className={styles.deleted}>{error}</p>}
      <Actions>
        <CopyAs commands={writeCommands(name, version.bytes ?? new Uint8Array(), now?.modRevision ?? "0", { lease: now?.lease })} />
        <Button onClick={onClose}>Cancel</Button>
        <Button look="main" onClick={() => void restore()}>Restore</Button>
      </Actions>
    </Dialog>
  );
}
