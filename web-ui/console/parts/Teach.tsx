// What stands where there is nothing yet: what it would be for, how to begin, and how to do the same from a shell.
import type { ReactNode } from "react";

import { Button } from "./Button";
import { copy } from "./CopyAs";
import styles from "./Teach.module.css";

interface Props {
  title: string;
  about: ReactNode;
  commands: readonly (readonly [what: string, command: string])[];
  children?: ReactNode;
}

export function Teach({ title, about, commands, children }: Props) {
  return (
    <div className={styles.teach}>
      <h2>{title}</h2>
      <p>{about}</p>
      {children}
      {commands.map(([what, command]) => (
        <div key={what} className={styles.command}>
          <span>{what}</span>
          <code>{command}</code>
          <Button look="quiet" icon="copy" aria-label={`Copy: ${what}`} onClick={() => void copy(command, "the command")} />
        </div>
      ))}
    </div>
  );
}
