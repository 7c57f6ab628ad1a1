// What is to be compared: a prefix, and two revisions.
import { type SyntheticEvent, useState } from "react";

import { oldest, revisionSince } from "../../api/compare";
import { type Key, ofText, show, textOf, toBytes } from "../../model/keys";
import { count } from "../../model/text";
import { Button } from "../../parts/Button";
import { TextField } from "../../parts/Fields";
import { Menu } from "../../parts/Menu";
import { go } from "../../parts/route";
import { toast } from "../../parts/Toasts";
import styles from "./Differences.module.css";
import { type Place, addressOf, isRevision } from "./place";

interface Props {
  place: Place;
  /** What is compared, where the place does not say it. */
  between: { from: string; to: string } | undefined;
  again: () => void;
}

const TIMES: readonly (readonly [label: string, seconds: number, step: number])[] = [
  ["Ten minutes ago", 600, 5],
  ["An hour ago", 3_600, 60],
  ["A day ago", 86_400, 60],
];

export function Between({ place, between, again }: Props) {
  const shown = textOf(toBytes(place.prefix)) ?? show(place.prefix);
  const [text, setText] = useState(shown);
  const [from, setFrom] = useState(place.from);
  const [to, setTo] = useState(place.to ?? "");
  const first = from ?? between?.from ?? "";
  // What is no text stays what it was, unless somebody writes something else.
  const prefix: Key = text === shown ? place.prefix : ofText(text);
  const isNumber = [first, to].every((revision) => revision === "" || isRevision(revision));
  const isReversed = isNumber && first !== "" && to !== "" && BigInt(first) > BigInt(to);
  const wrong = !isNumber ? "A revision is a number from 1 on." : isReversed ? "The first of the two is the older one." : undefined;

  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (wrong !== undefined) return;
    const wish = addressOf({ prefix, from: first === "" ? undefined : first, to: to === "" ? undefined : to });
    if (wish === addressOf(place)) again();
    else go(wish);
  };
  const choose = (find: () => Promise<{ revision: string; time?: number } | undefined>): void => {
    const run = async (): Promise<void> => {
      const found = await find();
      if (!found) { toast({ text: "This member has not run long enough to know", look: "failed" }); return; }
      setFrom(found.revision);
      if (found.time !== undefined) toast({ text: `Revision ${count(found.revision)} is what the store had at ${new Date(found.time).toLocaleTimeString([], { hour12: false })}` });
    };
    run().catch((error: unknown) => toast({ text: error instanceof Error ? error.message : String(error), look: "failed" }));
  };
  const items = [
    ...TIMES.map(([label, seconds, step]) => ({ label, icon: "clock" as const, run: () => choose(() => revisionSince(seconds, step)) })),
    { label: "The oldest that can be read", icon: "history" as const, run: () => choose(async () => ({ revision: await oldest(prefix) })) },
  ];

  return (
    <form className={styles.form} onSubmit={submit}>
      <div className={styles.prefix}><TextField label="Below" mono data-search placeholder="all keys" value={text} onChange={(event) => setText(event.target.value)} /></div>
      <div className={styles.revision}><TextField label="From revision" inputMode="numeric" placeholder="the one before" value={first} onChange={(event) => setFrom(event.target.value)} /></div>
      <Menu trigger={<Button icon="clock" aria-label="From when" title="From when…" />} items={items} />
      <div className={styles.revision}><TextField label="To revision" inputMode="numeric" placeholder="now" value={to} onChange={(event) => setTo(event.target.value)} /></div>
      <Button type="submit" look="main" disabled={wrong !== undefined}>Compare</Button>
      {wrong !== undefined && <p className={styles.wrong} role="alert">{wrong}</p>}
    </form>
  );
}
