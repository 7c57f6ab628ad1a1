// Editing a value. It is saved only if nobody else has changed it since, and after a look at what is different.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { type Value, get, put } from "../../api/keys";
import { Problem } from "../../api/problem";
import { kindOf } from "../../model/kind";
import type { Key } from "../../model/keys";
import { Button } from "../../parts/Button";
import { Code } from "../../parts/Code";
import { Choice } from "../../parts/Fields";
import { toast } from "../../parts/Toasts";
import { Conflict } from "./Conflict";
import { type Mode, bytesFor, complaint, formatted, modeFor, textFor } from "./content";
import styles from "./Edit.module.css";
import { Review } from "./Review";

interface Props {
  name: Key;
  /** What the editing began with. */
  base: Value;
  /** The revision of its last change, as far as it is known. */
  now: string | undefined;
  onDone: () => void;
}

const MODES: readonly (readonly [Mode, string])[] = [["text", "Text"], ["json", "JSON"], ["yaml", "YAML"], ["hex", "Hex"]];

export function Edit({ name, base, now, onDone }: Props) {
  const queries = useQueryClient();
  const [from, setFrom] = useState(base);
  const [mode, setMode] = useState<Mode>(modeFor(kindOf(base.bytes)));
  const [text, setText] = useState(() => textFor(base.bytes, mode));
  const [step, setStep] = useState<"edit" | "review" | { theirs: Value | undefined }>("edit");
  const [error, setError] = useState<string>();
  const [isSaving, setSaving] = useState(false);

  const bytes = bytesFor(text, mode);
  const before = textFor(from.bytes, mode);
  const isSame = text === before;
  const note = typeof bytes === "string" ? bytes : complaint(text, mode);

  const switched = (to: Mode): void => {
    const known = bytesFor(text, mode);
    const isNoText = to !== "hex" && typeof known !== "string" && modeFor(kindOf(known)) === "hex";
    if (typeof known === "string" || isNoText) {
      setError(typeof known === "string" ? known : "These bytes are no text: they can be edited as hex alone");
      return;
    }
    setError(undefined);
    setText(textFor(known, to));
    setMode(to);
  };

  const save = async (cas: string): Promise<void> => {
    if (typeof bytes === "string") return;
    setSaving(true);
    setError(undefined);
    try {
      const revision = await put(name, { bytes, cas, lease: from.lease });
      toast({ text: `Saved at revision ${revision}` });
      await queries.invalidateQueries({ queryKey: ["keys"], predicate: ({ queryKey }) => queryKey[1] !== "level" });
      onDone();
    } catch (failure) {
      if (failure instanceof Problem && failure.status === 412) setStep({ theirs: await get(name, true).catch(() => undefined) });
      else {
        setError(failure instanceof Error ? failure.message : String(failure));
        setStep("edit");
      }
    } finally {
      setSaving(false);
    }
  };

  return (
    <div className={styles.edit}>
      <div className={styles.bar}>
        <Choice label="Syntax" value={mode} options={MODES} onChoose={switched} />
        {mode === "json" && <Button disabled={note !== undefined} onClick={() => setText(formatted(text, mode))}>Format</Button>}
        <span className={styles.space} />
        <Button onClick={onDone}>{isSame ? "Close" : "Discard"}</Button>
        <Button look="main" disabled={isSame || typeof bytes === "string" || isSaving} onClick={() => setStep("review")}>Save…</Button>
      </div>
      {now !== undefined && now !== from.modRevision && (
        <p className={styles.warn} role="status">Somebody has changed it meanwhile, at revision {now}. Saving will show both.</p>
      )}
      <Code text={text} mode={mode === "hex" ? "text" : mode} label="The value" onChange={setText} onSave={() => { if (!isSame && typeof bytes !== "string") setStep("review"); }} />
      <p className={styles.note} role={error ? "alert" : undefined}>{error ?? note ?? "Ctrl S saves, after a look at what is different."}</p>
      {step === "review" && typeof bytes !== "string" && (
        <Review
          name={name}
          before={before}
          after={text}
          bytes={bytes}
          cas={from.modRevision}
          isSaving={isSaving}
          onSave={() => void save(from.modRevision)}
          onClose={() => setStep("edit")}
        />
      )}
      {typeof step === "object" && (
        <Conflict
          base={before}
          mine={text}
          theirs={step.theirs && textFor(step.theirs.bytes, mode)}
          onMine={() => void save(step.theirs?.modRevision ?? "0")}
          onTheirs={() => { if (step.theirs) { setFrom(step.theirs); setText(textFor(step.theirs.bytes, mode)); } setStep("edit"); }}
          onEdit={() => { if (step.theirs) setFrom(step.theirs); setStep("edit"); }}
        />
      )}
    </div>
  );
}
