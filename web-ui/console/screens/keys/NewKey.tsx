import { useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useState } from "react";

import { put } from "../../api/keys";
import { Problem } from "../../api/problem";
import { idOf } from "../../model/lifetimes";
import { type Key, SLASH, ofText, show, textOf, toBytes } from "../../model/keys";
import { Button } from "../../parts/Button";
import { Code } from "../../parts/Code";
import { CopyAs } from "../../parts/CopyAs";
import { Actions, Dialog } from "../../parts/Dialog";
import { Choice, TextField } from "../../parts/Fields";
import { go } from "../../parts/route";
import { toast } from "../../parts/Toasts";
import { writeCommands } from "./commands";
import { bytesFor } from "./content";
import styles from "./NewKey.module.css";
import { addressOf } from "./place";
import { MODES, type Mode, modeOf } from "./syntax/modes";
import { useComplaint } from "./syntax/useComplaint";

export function NewKey({ below, by, onClose }: { below: Key; by: Key | undefined; onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState(textOf(toBytes(below)) ?? "");
  const [chosen, setMode] = useState<Mode>();
  const [text, setText] = useState("");
  const [ttl, setTtl] = useState("");
  const [lease, setLease] = useState("");
  const [error, setError] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const key = ofText(name);
  // Until somebody says otherwise, the end of the key does.
  const mode = chosen ?? modeOf(key) ?? "text";
  const bytes = bytesFor(text, mode);
  const complaint = useComplaint(text, mode);
  const note = typeof bytes === "string" ? bytes : complaint;
  const isBound = lease.trim() === "" || (idOf(lease) !== undefined && ttl === "");

  const bound = { ttl: ttl === "" ? undefined : ttl, lease: lease.trim() === "" ? undefined : idOf(lease) };

  const submit = async (event?: SyntheticEvent): Promise<void> => {
    event?.preventDefault();
    if (typeof bytes === "string" || name === "" || !isBound) return;
    setBusy(true);
    setError(undefined);
    try {
      await put(key, { bytes, cas: "0", ...bound });
      toast({ text: `Created ${show(key)}` });
      await queries.invalidateQueries({ queryKey: ["keys", "value", key] });
      onClose();
      go(addressOf({ prefix: "", key, by }));
    } catch (failure) {
      const isThere = failure instanceof Problem && failure.status === 412;
      setError(isThere ? "There is such a key already: open it to edit it" : failure instanceof Error ? failure.message : String(failure));
      setBusy(false);
    }
  };

  return (
    <Dialog wide title="New key" onClose={onClose}>
      <form className={styles.form} onSubmit={(event) => void submit(event)}>
        <TextField label="Key" mono required value={name} onChange={(event) => setName(event.target.value)} hint={by === undefined || by === SLASH ? "Slashes make levels: app/db/url" : undefined} />
        <div className={styles.value}>
          <div className={styles.line}>
            <span className={styles.label}>Value</span>
            <Choice label="Syntax" value={mode} options={MODES} onChoose={setMode} />
          </div>
          <div className={styles.code}><Code text={text} mode={mode === "hex" ? "text" : mode} label="The value" onChange={setText} onSave={() => void submit()} /></div>
          {note !== undefined && <p className={styles.note}>{note}</p>}
        </div>
        <div className={styles.pair}>
          <TextField
            label="Time to live"
            inputMode="numeric"
            pattern="[0-9]*"
            value={ttl}
            onChange={(event) => setTtl(event.target.value)}
            hint="Seconds until it goes by itself, unless it is written again. Empty: it stays."
          />
          <TextField
            label="Or a lease that there is"
            mono
            placeholder="none"
            value={lease}
            onChange={(event) => setLease(event.target.value)}
            hint={isBound ? "Its id in hexadecimal: the key goes when the lease ends." : ttl === "" ? "An id has up to 16 hexadecimal digits." : "One of the two: a time to live of its own, or a lease."}
          />
        </div>
        {error !== undefined && <p role="alert" className={styles.error}>{error}</p>}
        <Actions>
          {typeof bytes !== "string" && name !== "" && isBound && <CopyAs commands={writeCommands(key, bytes, "0", bound)} />}
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" disabled={isBusy || name === "" || !isBound || typeof bytes === "string"}>Create</Button>
        </Actions>
      </form>
    </Dialog>
  );
}
