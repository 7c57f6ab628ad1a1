// Short notes of what has been done, with the way back where there is one.
import { useEffect, useSyncExternalStore } from "react";

import { Button } from "./Button";
import styles from "./Toasts.module.css";

export interface Toast {
  text: string;
  look?: "done" | "failed";
  action?: { label: string; run: () => void };
}

interface Shown extends Toast {
  id: number;
}

const SECONDS = 8;
let shown: readonly Shown[] = [];
let next = 0;
const listeners = new Set<() => void>();

function set(all: readonly Shown[]): void {
  shown = all;
  for (const listener of listeners) listener();
}

export function toast(one: Toast): void {
  next += 1;
  set([...shown.slice(-3), { ...one, id: next }]);
}

function put(id: number): void {
  set(shown.filter((each) => each.id !== id));
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export function Toasts() {
  const all = useSyncExternalStore(subscribe, () => shown);
  return (
    <div className={styles.toasts} role="status" aria-live="polite">
      {all.map((one) => <One key={one.id} one={one} />)}
    </div>
  );
}

function One({ one }: { one: Shown }) {
  useEffect(() => {
    const timer = setTimeout(() => put(one.id), SECONDS * 1_000 * (one.action ? 2 : 1));
    return () => clearTimeout(timer);
  }, [one]);
  return (
    <div className={`${styles.toast} ${one.look === "failed" ? styles.failed : ""}`}>
      <span>{one.text}</span>
      {one.action && <Button onClick={() => { put(one.id); one.action?.run(); }}>{one.action.label}</Button>}
      <Button look="quiet" icon="close" aria-label="Dismiss" onClick={() => put(one.id)} />
    </div>
  );
}
