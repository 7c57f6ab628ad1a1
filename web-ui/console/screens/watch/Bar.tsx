// What is watched, and what else is done with the stream.
import { useState } from "react";

import type { Wanted } from "../../api/changes";
import { type Key, ofText, show } from "../../model/keys";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Choice } from "../../parts/Fields";
import { go } from "../../parts/route";
import { addressOf, commandsOf } from "./place";
import styles from "./Watch.module.css";

interface Props {
  wanted: Wanted;
  isPaused: boolean;
  isEmpty: boolean;
  onPause: () => void;
  onClear: () => void;
  onExport: () => void;
}

const KINDS = [["prefix", "prefix"], ["key", "one key"]] as const;
const SHOWN = [["all", "puts and deletes"], ["puts", "puts alone"], ["deletes", "deletes alone"]] as const;

export function Bar({ wanted, isPaused, isEmpty, onPause, onClear, onExport }: Props) {
  const isOn = wanted.prefixes.length + wanted.keys.length > 0;
  const shown = wanted.puts && wanted.deletes ? "all" : wanted.puts ? "puts" : "deletes";
  return (
    <div className={styles.bar}>
      <div className={styles.line}>
        <Add wanted={wanted} />
        {isOn && (
          <>
            <Choice
              label="Which changes"
              value={shown}
              options={SHOWN}
              onChoose={(to) => go(addressOf({ ...wanted, puts: to !== "deletes", deletes: to !== "puts" }))}
            />
            <Button aria-pressed={isPaused} title="p" onClick={onPause}>{isPaused ? "Go on" : "Pause"}</Button>
            <Button disabled={isEmpty} onClick={onExport}>Export</Button>
            <Button disabled={isEmpty} onClick={onClear}>Clear</Button>
            <CopyAs commands={commandsOf(wanted)} />
          </>
        )}
      </div>
      {isOn && <Chips wanted={wanted} />}
    </div>
  );
}

function Add({ wanted }: { wanted: Wanted }) {
  const [text, setText] = useState("");
  const [kind, setKind] = useState<"prefix" | "key">("prefix");
  const add = (): void => {
    const key = ofText(text);
    const list = kind === "prefix" ? wanted.prefixes : wanted.keys;
    if ((key === "" && kind === "key") || list.includes(key)) return;
    setText("");
    go(addressOf(kind === "prefix" ? { ...wanted, prefixes: [...wanted.prefixes, key] } : { ...wanted, keys: [...wanted.keys, key] }));
  };
  return (
    <form className={styles.add} onSubmit={(event) => { event.preventDefault(); add(); }}>
      <input
        data-search
        className={styles.input}
        aria-label={kind === "prefix" ? "A prefix to watch" : "A key to watch"}
        placeholder={kind === "prefix" ? "app/ (empty: all keys)" : "app/config"}
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Choice label="What it is" value={kind} options={KINDS} onChoose={setKind} />
      <Button type="submit" look="main" icon="plus">Watch</Button>
    </form>
  );
}

function Chips({ wanted }: { wanted: Wanted }) {
  const without = (all: readonly Key[], one: Key): Key[] => all.filter((each) => each !== one);
  return (
    <ul className={styles.chips} aria-label="Watched">
      {wanted.prefixes.map((prefix) => (
        <Chip key={`p ${prefix}`} kind="prefix" name={prefix === "" ? "all keys" : show(prefix)} onRemove={() => go(addressOf({ ...wanted, prefixes: without(wanted.prefixes, prefix) }))} />
      ))}
      {wanted.keys.map((key) => (
        <Chip key={`k ${key}`} kind="key" name={show(key)} onRemove={() => go(addressOf({ ...wanted, keys: without(wanted.keys, key) }))} />
      ))}
      {wanted.from !== undefined && (
        <Chip kind="from revision" name={wanted.from} onRemove={() => go(addressOf({ ...wanted, from: undefined }))} />
      )}
    </ul>
  );
}

function Chip({ kind, name, onRemove }: { kind: string; name: string; onRemove: () => void }) {
  return (
    <li className={styles.chip}>
      <span>{kind}</span>
      <code>{name}</code>
      <Button look="quiet" icon="close" aria-label={`Stop watching ${kind} ${name}`} onClick={onRemove} />
    </li>
  );
}
