import { useState } from "react";

import { grant } from "../../api/leases";
import { idOf } from "../../model/lifetimes";
import { duration, hexId } from "../../model/text";
import { Deed } from "../../parts/Deed";
import { TextField } from "../../parts/Fields";
import { toast } from "../../parts/Toasts";
import { grantCommands } from "./commands";
import styles from "./Leases.module.css";

export function Grant({ onDone, onClose }: { onDone: (id: string) => void; onClose: () => void }) {
  const [ttl, setTtl] = useState("60");
  const [id, setId] = useState("");
  const isTtl = /^[1-9]\d{0,9}$/.test(ttl);
  const chosen = idOf(id);
  const run = async (): Promise<void> => {
    const granted = await grant(ttl, chosen);
    toast({ text: `Granted ${hexId(granted)}` });
    onDone(granted);
  };
  return (
    <Deed title="Grant a lease" deed="Grant" disabled={!isTtl || (id !== "" && chosen === undefined)} commands={isTtl ? grantCommands(ttl, chosen) : []} run={run} onClose={onClose}>
      <div className={styles.pair}>
        <TextField label="For how many seconds" inputMode="numeric" value={ttl} hint={isTtl ? duration(Number(ttl)) : "A number, 1 or more"} onChange={(event) => setTtl(event.target.value)} />
        <TextField label="Id" mono placeholder="one is found" hint="In hexadecimal, as etcdctl writes it" value={id} onChange={(event) => setId(event.target.value)} />
      </div>
    </Deed>
  );
}
