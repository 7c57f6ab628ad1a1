import { useState } from "react";

import { add, votes } from "../../api/members";
import type { Overview } from "../../api/overview";
import { quoted } from "../../model/copy";
import { complaintOf } from "../../model/peers";
import { onAdd } from "../../model/quorum";
import { Button } from "../../parts/Button";
import { copy } from "../../parts/CopyAs";
import { Deed } from "../../parts/Deed";
import { Actions, Dialog } from "../../parts/Dialog";
import { TextField } from "../../parts/Fields";
import { Note } from "../../parts/Page";
import { commands } from "./commands";
import styles from "./Members.module.css";

export function Add({ of, onChange, onClose }: { of: Overview; onChange: () => Promise<void>; onClose: () => void }) {
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [isLearner, setLearner] = useState(true);
  const [isDone, setDone] = useState(false);
  const wrong = complaintOf([url], of.members);
  const warning = isLearner ? undefined : onAdd(votes(of));
  const run = async (): Promise<void> => {
    await add(url, isLearner);
    await onChange();
  };
  if (isDone) return <Start name={name} url={url} of={of} onClose={onClose} />;
  return (
    <Deed title="Add a member" deed="Add" disabled={wrong !== undefined || name === "" || warning?.isFatal === true} commands={commands.add(name, url, isLearner)} run={run} onDone={() => setDone(true)} onClose={onClose}>
      <TextField label="Name" hint="What it is started with as --name" value={name} onChange={(event) => setName(event.target.value)} />
      <TextField label="Where other members find it" mono placeholder="http://10.0.0.4:2380" hint={url === "" || wrong === undefined ? "Its peer URL, with the port" : wrong} value={url} onChange={(event) => setUrl(event.target.value)} />
      <label className={styles.check}>
        <input type="checkbox" checked={isLearner} onChange={(event) => setLearner(event.target.checked)} />
        As a learner: it has no vote until it is promoted
      </label>
      {warning && <Note danger={warning.isFatal}>{warning.text}</Note>}
    </Deed>
  );
}

function Start({ name, url, of, onClose }: { name: string; url: string; of: Overview; onClose: () => void }) {
  const there = of.members.filter((member) => member.name !== "").flatMap((member) => member.peer_urls.map((peer) => `${member.name}=${peer}`));
  const words = ["keyport", `--name ${quoted(name)}`, `--initial-cluster ${quoted([...there, `${name}=${url}`].join(","))}`, "--initial-cluster-state existing", `--initial-advertise-peer-urls ${url}`, `--listen-peer-urls ${url}`];
  const command = words.join(" ");
  return (
    <Dialog title={`Now start ${name}`} about="The cluster knows it. It is started with an empty data directory, and client URLs of its own:" onClose={onClose}>
      <code className={styles.command}>{command}</code>
      <Actions>
        <Button icon="copy" onClick={() => void copy(command, "the command")}>Copy</Button>
        <Button look="main" onClick={onClose}>Done</Button>
      </Actions>
    </Dialog>
  );
}
