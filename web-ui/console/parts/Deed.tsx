// A dialog in which something is done: what it will do, what it needs to know, and how to do the same elsewhere. What is done
// for good wants its name typed.
import { type ReactNode, type SubmitEvent, useState } from "react";

import { Button } from "./Button";
import { type Command, CopyAs } from "./CopyAs";
import styles from "./Deed.module.css";
import { Actions, Dialog } from "./Dialog";
import { TextField } from "./Fields";

interface Props {
  title: string;
  about?: ReactNode;
  /** What the button says. */
  deed: string;
  danger?: boolean;
  /** What has to be typed before it is done. */
  typed?: string | undefined;
  disabled?: boolean;
  wide?: boolean;
  commands?: readonly Command[];
  run: () => Promise<void>;
  onClose: () => void;
  /** What comes after it, where that is not the end. */
  onDone?: () => void;
  children?: ReactNode;
}

export function Deed({ title, about, deed, danger = false, typed, disabled = false, wide = false, commands, run, onClose, onDone = onClose, children }: Props) {
  const [text, setText] = useState("");
  const [error, setError] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const done = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await run();
      onDone();
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} about={about} wide={wide} onClose={isBusy ? undefined : onClose}>
      <form className={styles.form} onSubmit={(event) => void done(event)}>
        {children}
        {typed !== undefined && (
          <TextField label={`Type ${typed} to confirm`} mono value={text} onChange={(event) => setText(event.target.value)} />
        )}
        {error !== undefined && <p className={styles.error} role="alert">{error}</p>}
        <Actions>
          {commands && <CopyAs commands={commands} />}
          <span className={styles.space} />
          <Button onClick={onClose} disabled={isBusy}>Cancel</Button>
          <Button type="submit" look={danger ? "danger" : "main"} disabled={disabled || isBusy || (typed !== undefined && text !== typed)}>{deed}</Button>
        </Actions>
      </form>
    </Dialog>
  );
}
