// What may be done with the rows that are chosen.
import { useState } from "react";

import { exportedRows } from "../../../api/transfer";
import type { Key } from "../../../model/keys";
import { sumOf } from "../../../model/marks";
import type { Row } from "../../../model/rows";
import { count, plural } from "../../../model/text";
import { Button } from "../../../parts/Button";
import { save } from "../../../parts/file";
import { toast } from "../../../parts/Toasts";
import { Written } from "../../written";
import styles from "./Chosen.module.css";
import Move from "./Move";
import { RemoveChosen } from "./RemoveChosen";

/** Each key is asked for by itself: more of them are a level, or an export. */
const MOST_CHOSEN = 5_000;

interface Props {
  rows: readonly Row[];
  /** Where they are listed. */
  prefix: Key;
  mayChange: boolean;
  onNone: () => void;
}

export default function Chosen({ rows, prefix, mayChange, onNone }: Props) {
  const [deed, setDeed] = useState<"move" | "remove">();
  const [busy, setBusy] = useState<number>();
  const { keys, levels, below } = sumOf(rows);
  const isMany = rows.length > MOST_CHOSEN;
  const words = [keys > 0 && plural(keys, "key"), levels > 0 && `${plural(levels, "level")}${below > 0 ? ` of ${plural(below, "key")}` : ""}`].filter(Boolean).join(", ");
  const run = async (): Promise<void> => {
    setBusy(0);
    try {
      const file = new Written("ndjson");
      const unknown = await exportedRows(rows, (some) => setBusy(file.take(some)));
      save("chosen.ndjson", await file.parts(), "application/x-ndjson");
      if (unknown > 0) toast({ text: `The time to live of ${plural(unknown, "lease")} is not in the file`, look: "failed" });
    } catch (failure) {
      toast({ text: failure instanceof Error ? failure.message : String(failure), look: "failed" });
    }
    setBusy(undefined);
  };
  const close = (isDone: boolean): void => {
    setDeed(undefined);
    if (isDone) onNone();
  };
  return (
    <div className={styles.chosen} role="group" aria-label="What is chosen">
      <span className={styles.words} role="status">{isMany ? `${words}: up to ${count(MOST_CHOSEN)} can be taken at once` : `${words} chosen`}</span>
      <span className={styles.deeds}>
        <Button icon="backup" disabled={isMany || busy !== undefined} onClick={() => void run()}>{busy ? count(busy) : "Export"}</Button>
        {mayChange && <Button icon="move" disabled={isMany} onClick={() => setDeed("move")}>Move…</Button>}
        {mayChange && <Button look="danger" icon="trash" disabled={isMany} onClick={() => setDeed("remove")}>Delete…</Button>}
        <Button look="quiet" icon="close" aria-label="Choose none" title="Choose none" onClick={onNone} />
      </span>
      {deed === "move" && <Move rows={rows} from={prefix} onClose={close} />}
      {deed === "remove" && <RemoveChosen rows={rows} onClose={close} />}
    </div>
  );
}
