// Calls that are kept by a name, in this browser alone: saved, opened in place of what is written or below it, taken away.
import { type SyntheticEvent, useState } from "react";

import { useStore } from "../../api/store";
import { isComment } from "../../model/query/blocks";
import { type Snippet, complaintOf, named } from "../../model/query/snippets";
import { plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { TextField } from "../../parts/Fields";
import { toast } from "../../parts/Toasts";
import { drop, keep, snippets } from "./kept";
import styles from "./Snippets.module.css";

interface Props {
  /** What is written. */
  text: string;
  onOpen: (text: string) => void;
  onAdd: (text: string) => void;
  onClose: () => void;
}

export default function Snippets({ text, onOpen, onAdd, onClose }: Props) {
  const all = useStore(snippets);
  const [name, setName] = useState("");
  const wrong = complaintOf(all, { name, text });
  const there = named(all, name);

  const save = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (wrong !== undefined || name.trim() === "") return;
    keep({ name, text });
    toast({ text: `${name.trim()} is kept in this browser`, ...(there && { action: { label: "Undo", run: () => keep(there) } }) });
    setName("");
  };
  const removed = (one: Snippet): void => {
    drop(one.name);
    toast({ text: `${one.name} is taken away`, action: { label: "Undo", run: () => keep(one) } });
  };
  const then = (run: (text: string) => void, one: Snippet): void => {
    run(`${one.text}\n`);
    onClose();
  };

  return (
    <Dialog title="Snippets" about="Calls that are kept by a name, in this browser and nowhere else." onClose={onClose}>
      <form className={styles.form} onSubmit={save}>
        <div className={styles.name}>
          <TextField label="Keep what is written as" value={name} onChange={(event) => setName(event.target.value)} hint={wrong ?? (there && "It takes the place of the one of this name.") ?? plural(text.trim().split("\n").length, "line")} />
        </div>
        <Button type="submit" look="main" disabled={wrong !== undefined || name.trim() === ""}>Save</Button>
      </form>
      {all.length === 0 && <p className={styles.none}>None is kept yet.</p>}
      {all.length > 0 && (
        <ul className={styles.list} aria-label="What is kept">
          {all.map((one) => (
            <li key={one.name} className={styles.one}>
              <span className={styles.words}>
                <strong>{one.name}</strong>
                <code className={styles.text}>{firstOf(one.text)}{one.text.includes("\n") && " …"}</code>
              </span>
              <Button aria-label={`Open ${one.name}`} title="In place of what is written" onClick={() => then(onOpen, one)}>Open</Button>
              <Button look="quiet" icon="plus" aria-label={`Add ${one.name}`} title="Below what is written" onClick={() => then((more) => onAdd(more.trimEnd()), one)} />
              <Button look="quiet" icon="trash" aria-label={`Delete ${one.name}`} title="Take it away" onClick={() => removed(one)} />
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  );
}

/** The line that says most of it. */
function firstOf(text: string): string {
  const lines = text.split("\n");
  return lines.find((line) => line.trim() !== "" && !isComment(line)) ?? lines[0] ?? "";
}
