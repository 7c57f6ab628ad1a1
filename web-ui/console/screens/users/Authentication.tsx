import { useState } from "react";

import { turnOff, turnOn } from "../../api/access";
import * as session from "../../api/session";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Deed } from "../../parts/Deed";
import { Card, Tag } from "../../parts/Page";
import { toast } from "../../parts/Toasts";
import { commands } from "./commands";
import { Passwords, isGood } from "./Passwords";
import styles from "./Users.module.css";

export function Authentication({ isOn, mayChange, onChange }: { isOn: boolean; mayChange: boolean; onChange: () => Promise<void> }) {
  const [isOpen, setOpen] = useState(false);
  const tools = (
    <>
      {mayChange && <Button look={isOn ? "danger" : "main"} onClick={() => setOpen(true)}>{isOn ? "Turn off…" : "Turn on…"}</Button>}
      <CopyAs commands={commands.authentication(!isOn)} />
    </>
  );
  return (
    <Card title={<>Authentication <Tag look={isOn ? "good" : "warn"}>{isOn ? "on" : "off"}</Tag></>} tools={tools}>
      <p className={styles.state}>
        {isOn
          ? "Everybody is asked who he is, and may do what his roles say."
          : "Nobody is asked who he is: whoever reaches the server may read and change everything, users and roles, too."}
      </p>
      {isOpen && !isOn && <TurnOn onChange={onChange} onClose={() => setOpen(false)} />}
      {isOpen && isOn && <TurnOff onChange={onChange} onClose={() => setOpen(false)} />}
    </Card>
  );
}

interface Props {
  onChange: () => Promise<void>;
  onClose: () => void;
}

function TurnOn({ onChange, onClose }: Props) {
  const [password, setPassword] = useState({ one: "", two: "" });
  const run = async (): Promise<void> => {
    await turnOn(password.one);
    toast({ text: "Authentication is on, and you are root" });
    await onChange();
  };
  return (
    <Deed title="Turn authentication on" deed="Turn on" disabled={!isGood(password)} commands={commands.authentication(true)} run={run} onClose={onClose}>
      <ol className={styles.steps}>
        <li>The user <code>root</code> gets this password, and the role <code>root</code>: he may do everything.</li>
        <li>From then on everybody is asked. Programs that say nothing are refused, so give them users first.</li>
        <li>You go on here as root, without a new login.</li>
      </ol>
      <Passwords value={password} onChange={setPassword} />
    </Deed>
  );
}

function TurnOff({ onChange, onClose }: Props) {
  const run = async (): Promise<void> => {
    await turnOff();
    await session.load();
    toast({ text: "Authentication is off" });
    await onChange();
  };
  return (
    <Deed
      danger
      title="Turn authentication off?"
      about="Whoever reaches the server may then read and change everything. Users and roles stay as they are."
      deed="Turn off"
      typed="turn off"
      commands={commands.authentication(false)}
      run={run}
      onClose={onClose}
    />
  );
}
