// What an import would change, each with what is different.
import { useMemo, useState } from "react";

import { show } from "../../model/keys";
import { type Lifetime, sharedBy } from "../../model/lifetimes";
import { count, duration, plural } from "../../model/text";
import type { Change } from "../../model/transfer";
import { Button } from "../../parts/Button";
import { ValueDiff } from "../../parts/ValueDiff";
import styles from "./Backup.module.css";

const MOST_SHOWN = 200;
const MOST_COMPARED = 128 * 1024;
const WORDS = { create: "new", change: "changed", delete: "deleted" };

export function Changes({ changes }: { changes: readonly Change[] }) {
  const [most, setMost] = useState(MOST_SHOWN);
  const shared = useMemo(() => sharedBy(changes), [changes]);
  return (
    // What can be scrolled has to be reached by the keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <ul className={styles.changes} aria-label="What would change" tabIndex={0}>
      {changes.slice(0, most).map((change) => <One key={change.key} change={change} sharers={change.lifetime ? (shared.get(change.lifetime.id)?.keys ?? 1) : 0} />)}
      {changes.length > most && <li><Button onClick={() => setMost(most + MOST_SHOWN)}>{count(changes.length - most)} more</Button></li>}
    </ul>
  );
}

function One({ change, sharers }: { change: Change; sharers: number }) {
  const [isOpen, setOpen] = useState(false);
  const isSmall = (change.before?.length ?? 0) + (change.after?.length ?? 0) <= MOST_COMPARED;
  return (
    <li>
      <div className={styles.change}>
        <span className={`${styles.what} ${change.kind === "change" ? styles.changeKind : styles[change.kind]}`}>{WORDS[change.kind]}</span>
        <code>{show(change.key)}</code>
        {change.lifetime && <span className={styles.soft}>{lives(change.lifetime, sharers)}</span>}
        <Button look="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}><span className="unseen">{show(change.key)}: </span>What changes</Button>
      </div>
      {isOpen && (isSmall ? <ValueDiff before={change.before} after={change.after} label="What changes" /> : <p className={styles.soft}>Too large to be compared here.</p>)}
    </li>
  );
}

/** What becomes of its time to live: a lease is granted anew. */
function lives({ granted, left }: Lifetime, sharers: number): string {
  const was = left === undefined || left >= granted ? "" : `, of which ${duration(left)} were left`;
  return `lives ${duration(granted)}${was}${sharers > 1 ? `; one lease for ${plural(sharers, "key")}` : ""}`;
}
