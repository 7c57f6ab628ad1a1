// Editing a value. It is saved only if nobody else has changed it since, and after a look at what is different.
import { useQueryClient } from "@tanstack/react-query";
import { Suspense, lazy, useState } from "react";

import { type Value, get, put } from "../../api/keys";
import { Problem } from "../../api/problem";
import { kindOf } from "../../model/kind";
import type { Key } from "../../model/keys";
import { Button } from "../../parts/Button";
import { Code } from "../../parts/Code";
import { Choice } from "../../parts/Fields";
import { Loading } from "../../parts/States";
import { toast } from "../../parts/Toasts";
import type { Sides } from "./Conflict";
import { bytesFor, formatted, textFor } from "./content";
import styles from "./Edit.module.css";
import { Review } from "./Review";
import { MODES, type Mode, modeFor } from "./syntax/modes";
import { useComplaint } from "./syntax/useComplaint";

/** Loaded where two have met, which is rare. */
const Conflict = lazy(() => import("./Conflict"));

interface Props {
  name: Key;
  /** What the editing began with. */
  base: Value;
  /** The revision of its last change, as far as it is known. */
  now: string | undefined;
  onDone: () => void;
}

export function Edit({ name, base, now, onDone }: Props) {
  const queries = useQueryClient();
  const [from, setFrom] = useState(base);
  const [mode, setMode] = useState<Mode>(modeFor(kindOf(base.bytes), name));
  const [text, setText] = useState(() => textFor(base.bytes, mode));
  const [step, setStep] = useState<"edit" | "review" | Sides>("edit");
  const [error, setError] = useState<string>();
  const [isSaving, setSaving] = useState(false);

  const bytes = bytesFor(text, mode);
  const isSame = text === textFor(from.bytes, mode);
  const complaint = useComplaint(text, mode);
  const note = typeof bytes === "string" ? bytes : complaint;

  const switched = (to: Mode): void => {
    const known = bytesFor(text, mode);
    const isNoText = to !== "hex" && typeof known !== "string" && modeFor(kindOf(known), name) === "hex";
    if (typeof known === "string" || isNoText) {
      setError(typeof known === "string" ? known : "These bytes are no text: they can be edited as hex alone");
      return;
    }
    setError(undefined);
    setText(textFor(known, to));
    setMode(to);
  };

  const edited = (written: Uint8Array): void => {
    const to = mode === "hex" || modeFor(kindOf(written), name) === "hex" ? modeFor(kindOf(written), name) : mode;
    setMode(to);
    setText(textFor(written, to));
  };

  const failed = (failure: unknown): void => {
    setError(failure instanceof Error ? failure.message : String(failure));
    setStep("edit");
  };

  /** Writes it if what is there is still `over`: nothing, where that is gone. If it is not, both are shown. */
  const save = async (written: Uint8Array, began: Value, over: Value | undefined): Promise<void> => {
    setSaving(true);
    setError(undefined);
    try {
      const revision = await put(name, { bytes: written, cas: over?.modRevision ?? "0", lease: (over ?? began).lease });
      toast({ text: `Saved at revision ${revision}` });
      await queries.invalidateQueries({ queryKey: ["keys"], predicate: ({ queryKey }) => queryKey[1] !== "level" });
      onDone();
    } catch (failure) {
      if (failure instanceof Problem && failure.status === 412) await meet(written, began).catch(failed);
      else failed(failure);
    } finally {
      setSaving(false);
    }
  };

  /** Shows what is there now beside what was to be written, and what both began with. */
  const meet = async (mine: Uint8Array, began: Value): Promise<void> => {
    const theirs = await get(name, true).catch((failure: unknown) => {
      if (failure instanceof Problem && failure.status === 404) return undefined;
      throw failure;
    });
    setStep({ base: began, mine, theirs });
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
          before={from.bytes}
          bytes={bytes}
          cas={from.modRevision}
          lease={from.lease}
          isSaving={isSaving}
          onSave={() => void save(bytes, from, from)}
          onClose={() => setStep("edit")}
        />
      )}
      {typeof step === "object" && (
        <Suspense fallback={<Loading what="both sides" />}><Conflict
          key={step.theirs?.modRevision ?? "0"}
          name={name}
          sides={step}
          isSaving={isSaving}
          onSave={(written) => {
            // What was merged has begun with theirs; mine alone, where it had.
            const began = written === step.mine ? step.base : (step.theirs ?? step.base);
            setFrom(began);
            if (written !== step.mine) edited(written);
            void save(written, began, step.theirs);
          }}
          onEdit={(written) => { if (step.theirs) setFrom(step.theirs); edited(written); setStep("edit"); }}
          onClose={() => setStep("edit")}
        /></Suspense>
      )}
    </div>
  );
}
