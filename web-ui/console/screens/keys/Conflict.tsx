// Two have changed the same, from where both began: put together line by line, or one of them whole.
import { useState } from "react";

import type { Value } from "../../api/keys";
import { type Form, MOST_BYTES_MERGED, formOf } from "../../model/conflict";
import { type Key, textOf } from "../../model/keys";
import { hexLines } from "../../model/kind";
import { bytes } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Actions, Dialog } from "../../parts/Dialog";
import { Diff } from "../../parts/Diff";
import { writeCommands } from "./commands";
import styles from "./Conflict.module.css";
import { Merge } from "./Merge";

export interface Sides {
  base: Value;
  mine: Uint8Array;
  /** Nothing if it has been removed. */
  theirs: Value | undefined;
}

interface Props {
  name: Key;
  sides: Sides;
  isSaving: boolean;
  /** Writes it over theirs. */
  onSave: (bytes: Uint8Array) => void;
  /** Goes on editing, from theirs. */
  onEdit: (bytes: Uint8Array) => void;
  /** Back, with all as it was. */
  onClose: () => void;
}

export default function Conflict({ name, sides, isSaving, onSave, onEdit, onClose }: Props) {
  const { base, mine, theirs } = sides;
  const [form] = useState(() => formOf(base.bytes, theirs?.bytes, mine));
  return (
    <Dialog wide title="Somebody else was quicker" about={aboutOf(form)} onClose={onClose}>
      {form.kind === "text" && theirs
        ? <Merge name={name} form={form} theirs={theirs} isSaving={isSaving} onSave={onSave} onEdit={onEdit} />
        : <Whole form={form} sides={sides} />}
      <Actions>
        {form.kind === "text" && <span className={styles.whole}>Or one of them whole:</span>}
        <CopyAs commands={writeCommands(name, mine, theirs?.modRevision ?? "0", { lease: (theirs ?? base).lease })} />
        <Button onClick={onClose}>Edit mine further</Button>
        {theirs && <Button disabled={isSaving} onClick={() => onEdit(theirs.bytes)}>Take theirs</Button>}
        <Button look={form.kind === "text" ? "plain" : "main"} disabled={isSaving} onClick={() => onSave(mine)}>{theirs ? "Save mine over it" : "Write mine again"}</Button>
      </Actions>
    </Dialog>
  );
}

function aboutOf({ kind }: Form): string {
  if (kind === "gone") return "The key was removed while you edited it. Nothing of yours is lost.";
  const changed = "The key was changed while you edited it. Nothing is saved yet, and nothing of yours is lost.";
  if (kind === "large") return `${changed} Values of more than ${bytes(MOST_BYTES_MERGED)} are not merged: one of the two is kept whole.`;
  if (kind === "bytes") return `${changed} What is no text is not merged: one of the two is kept whole.`;
  return `${changed} What one of you has changed alone is taken; the rest is for you to choose.`;
}

/** Both sides, of which one will be kept. */
function Whole({ form, sides: { base, theirs, mine } }: { form: Form; sides: Sides }) {
  if (form.kind === "large") {
    return <p className={styles.note}>{theirs && `Theirs: ${bytes(theirs.bytes.length)}, at revision ${theirs.modRevision}. `}Mine: {bytes(mine.length)}.</p>;
  }
  const isText = [base.bytes, theirs?.bytes, mine].every((each) => each === undefined || textOf(each) !== undefined);
  const shown = (value: Uint8Array | undefined): string => value === undefined ? "" : isText ? (textOf(value) ?? "") : hexLines(value).join("\n");
  return (
    <div className={styles.two}>
      <section><h3>What they changed</h3><Diff before={shown(base.bytes)} after={shown(theirs?.bytes)} label="What they changed" /></section>
      <section><h3>What you changed</h3><Diff before={shown(base.bytes)} after={shown(mine)} label="What you changed" /></section>
    </div>
  );
}
