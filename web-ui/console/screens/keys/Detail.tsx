// The open key: its value, what else is known of it, and what may be done with it.
import * as Tabs from "@radix-ui/react-tabs";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Suspense, lazy, useEffect, useState } from "react";

import { type Value, get } from "../../api/keys";
import { Problem } from "../../api/problem";
import { useMayChange } from "../../api/settings";
import { watch } from "../../api/watch";
import { type Key, base64, show } from "../../model/keys";
import { kindOf } from "../../model/kind";
import { bytes } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Empty, Loading } from "../../parts/States";
import { toast } from "../../parts/Toasts";
import { go } from "../../parts/route";
import { useKey } from "../../parts/useKey";
import { ValueView } from "../../parts/ValueView";
import { Failure } from "../Failure";
import { useMay } from "../may";
import { readCommands, removeCommands } from "./commands";
import styles from "./Detail.module.css";
import { Edit } from "./Edit";
import { History } from "./History";
import { visit } from "./kept";
import { Meta } from "./Meta";
import { addressOf } from "./place";
import { useRemove } from "./useRemove";
import { Star } from "./Visits";

/** It is rare. */
const Move = lazy(() => import("./chosen/Move"));

interface Props {
  name: Key;
  rev: string | undefined;
  by: Key | undefined;
  onClose: () => void;
}

export function Detail({ name, rev, by, onClose }: Props) {
  const queries = useQueryClient();
  const [isWhole, setWhole] = useState(false);
  const [edited, setEdited] = useState<Value>();
  const [isMoving, setMoving] = useState(false);
  const mayWrite = useMay({ key_b64: base64(name) }).write;
  const mayChange = useMayChange() && rev === undefined && mayWrite;
  const remove = useRemove(name);
  const query = useQuery({
    queryKey: ["keys", "value", name, rev, isWhole],
    queryFn: ({ signal }) => get(name, isWhole, rev, signal),
    placeholderData: (before) => before,
  });
  const isGone = query.error instanceof Problem && query.error.status === 404;
  const value = isGone ? undefined : query.data;
  const from = value?.modRevision;
  const own = addressOf({ prefix: "", key: name, by });
  const isKnown = value !== undefined;
  useEffect(() => { if (isKnown) visit({ key: name, at: own }); }, [isKnown, name, own]);

  useEffect(() => {
    if (rev !== undefined || (from === undefined && !isGone)) return undefined;
    const anew = () => void queries.invalidateQueries({ queryKey: ["keys", "value", name] });
    const old = () => void queries.invalidateQueries({ queryKey: ["keys", "history", name] });
    // Without a revision to begin behind, it may have come meanwhile.
    const opened = from === undefined ? { opened: anew } : {};
    return watch({ key: name, after: from ?? "-1" }, { ...opened, changed: () => { anew(); old(); }, lost: anew });
  }, [queries, name, rev, from, isGone]);

  const edit = async (): Promise<void> => {
    if (!value) return;
    try {
      setEdited(value.bytes.length < value.size ? await get(name, true) : value);
    } catch (error) {
      toast({ text: error instanceof Error ? error.message : String(error), look: "failed" });
    }
  };
  const canEdit = mayChange && value !== undefined && edited === undefined && kindOf(value.bytes) !== "kubernetes";
  useKey("e", canEdit ? () => void edit() : undefined);

  return (
    <article className={styles.detail}>
      <header className={styles.head}>
        <h1 className={styles.name}>{show(name)}</h1>
        <div className={styles.actions}>
          {canEdit && <Button icon="edit" onClick={() => void edit()}>Edit</Button>}
          {mayChange && value && <Button look="quiet" icon="move" aria-label="Move or copy the key" title="Move or copy…" onClick={() => setMoving(true)} />}
          {mayChange && value && <Button look="danger" icon="trash" onClick={() => void remove(value)}>Delete</Button>}
          <CopyAs commands={[...readCommands(name, rev, by), ...(mayChange && value ? removeCommands(name, value.modRevision) : [])]} />
          <Star place={{ key: name, at: own }} />
          <Button look="quiet" icon="close" aria-label="Close the key" onClick={onClose} />
        </div>
      </header>
      {!mayWrite && value && <p className={styles.old}>Your roles let you read this key, and not change it.</p>}
      {rev !== undefined && (
        <p className={styles.old}>As it was at revision {rev}. <a href={own}>As it is now</a></p>
      )}
      {edited ? (
        <Edit name={name} base={edited} now={from} onDone={() => setEdited(undefined)} />
      ) : (
        <Tabs.Root defaultValue="value" className={styles.tabs}>
          <Tabs.List className={styles.list} aria-label="About the key">
            <Tabs.Trigger value="value">Value</Tabs.Trigger>
            <Tabs.Trigger value="history">History</Tabs.Trigger>
          </Tabs.List>
          <Tabs.Content value="value" className={styles.panel}>
            {query.isPending && <Loading what="the value" />}
            {isGone && <Empty title="There is no such key"><p>It is not there{rev === undefined ? " now" : " at that revision"}. Its history may know what it was.</p></Empty>}
            {query.error && !isGone && !value && <Failure error={query.error} again={() => void query.refetch()} wish="read this key" />}
            {value && (
              <>
                <Meta value={value} />
                <ValueView bytes={value.bytes} label="The value" />
                {value.bytes.length < value.size && (
                  <p className={styles.part}>
                    The first {bytes(value.bytes.length)} of {bytes(value.size)}.{" "}
                    <Button onClick={() => setWhole(true)}>Load all of it</Button>
                  </p>
                )}
              </>
            )}
          </Tabs.Content>
          <Tabs.Content value="history" className={styles.panel}>
            <History name={name} by={by} now={value} mayChange={mayChange} />
          </Tabs.Content>
        </Tabs.Root>
      )}
      {isMoving && value && (
        <Suspense>
          <Move
            rows={[{ kind: "key", key: name, size: value.size, createRevision: value.createRevision, modRevision: value.modRevision, version: value.version }]}
            from={name}
            onClose={(_, onto) => { setMoving(false); if (onto !== undefined) go(addressOf({ prefix: "", key: onto, by })); }}
          />
        </Suspense>
      )}
    </article>
  );
}
