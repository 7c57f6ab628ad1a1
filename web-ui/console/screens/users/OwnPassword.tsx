import { useState } from "react";

import { setOwnPassword } from "../../api/access";
import { Deed } from "../../parts/Deed";
import { TextField } from "../../parts/Fields";
import { toast } from "../../parts/Toasts";
import { commands } from "./commands";
import { Passwords, isGood } from "./Passwords";
import styles from "./Users.module.css";

export function OwnPassword({ name, onClose }: { name: string; onClose: () => void }) {
  const [old, setOld] = useState("");
  const [to, setTo] = useState({ one: "", two: "" });
  const run = async (): Promise<void> => {
    await setOwnPassword(name, old, to.one);
    toast({ text: "Your password is another one now" });
  };
  return (
    <Deed title={`Password of ${name}`} about="All other sessions of yours end." deed="Change" disabled={old === "" || !isGood(to)} commands={commands.ownPassword(name)} run={run} onClose={onClose}>
      <div className={styles.form}>
        <TextField label="What it is" type="password" autoComplete="current-password" value={old} onChange={(event) => setOld(event.target.value)} />
        <Passwords value={to} onChange={setTo} />
      </div>
    </Deed>
  );
}
