// What stands where there is nothing, not yet, or where something went wrong.
import { Component, type ReactNode } from "react";

import { Button } from "./Button";
import { Icon } from "./Icon";
import styles from "./States.module.css";

export function Loading({ what }: { what: string }) {
  return <div className={styles.state} role="status"><span className={styles.dots} aria-hidden="true" />Loading {what}</div>;
}

export function Failed({ error, again }: { error: unknown; again?: () => void }) {
  return (
    <div className={styles.state} role="alert">
      <span className={styles.alert}><Icon name="alert" size={20} /></span>
      <p className={styles.text}>{error instanceof Error ? error.message : String(error)}</p>
      {again && <Button onClick={again}>Try again</Button>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return <div className={styles.state}><h2 className={styles.title}>{title}</h2><div className={styles.text}>{children}</div></div>;
}

/** What a screen's own mistake does: the rest of the page stays. */
export class Boundary extends Component<{ children: ReactNode; at: string }, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidUpdate(before: { at: string }) {
    if (before.at !== this.props.at && this.state.error !== undefined) this.setState({ error: undefined });
  }

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return <Failed error={error} again={() => this.setState({ error: undefined })} />;
  }
}
