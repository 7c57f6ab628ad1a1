// A text to read or to edit, with the colours of its syntax.
import type { Extension } from "@codemirror/state";
import { useEffect, useEffectEvent, useRef, useState } from "react";

import styles from "./Code.module.css";
import type { Editor, Mode } from "./editor";
import { Failed, Loading } from "./States";

interface Props {
  text: string;
  mode: Mode;
  label: string;
  readOnly?: boolean;
  /** What else the editor can do, which is loaded with it. */
  extras?: () => Promise<Extension>;
  onChange?: (text: string) => void;
  onSave?: () => void;
}

export function Code({ text, mode, label, readOnly = false, extras, onChange, onSave }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor>(undefined);
  /** What the editor has. */
  const known = useRef(text);
  /** What it has told and not heard again: when that comes back, something newer may have been typed, which is not to be lost. */
  const told = useRef<string[]>([]);
  const [state, setState] = useState<"loading" | "there" | Error>("loading");
  const changed = useEffectEvent((to: string) => {
    if (to !== known.current) told.current.push(to);
    known.current = to;
    onChange?.(to);
  });
  const saved = useEffectEvent(() => onSave?.());
  const first = useEffectEvent(() => ({ text, mode }));
  const more = useEffectEvent(() => extras?.());

  useEffect(() => {
    let gone = false;
    const opened = async (): Promise<void> => {
      const [{ open }, own] = await Promise.all([import("./editor"), more()]);
      const { current } = host;
      if (gone || !current) return;
      const now = first();
      known.current = now.text;
      editor.current = open({ host: current, ...now, ...(own && { extras: own }), readOnly, label, onChange: changed, onSave: saved });
      if (!readOnly) editor.current.focus();
      setState("there");
    };
    opened().catch((error: unknown) => setState(error instanceof Error ? error : new Error(String(error))));
    return () => {
      gone = true;
      editor.current?.destroy();
      editor.current = undefined;
    };
  }, [readOnly, label]);

  useEffect(() => {
    const at = known.current === text ? told.current.length - 1 : told.current.indexOf(text);
    told.current.splice(0, at + 1);
    if (at >= 0 || known.current === text) return;
    known.current = text;
    editor.current?.setText(text);
  }, [text]);
  useEffect(() => editor.current?.setMode(mode), [mode]);

  return (
    <div className={styles.frame}>
      {state === "loading" && <Loading what="the editor" />}
      {state instanceof Error && <Failed error={state} />}
      <div ref={host} className={styles.host} hidden={state !== "there"} />
    </div>
  );
}
