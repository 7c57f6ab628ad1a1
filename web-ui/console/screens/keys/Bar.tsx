// Where one is, and what is searched for below it.
import { useState } from "react";

import { type Key, SLASH, levels, parent, show } from "../../model/keys";
import { Button } from "../../parts/Button";
import { Choice } from "../../parts/Fields";
import { Menu } from "../../parts/Menu";
import { go, link } from "../../parts/route";
import styles from "./Bar.module.css";
import { DELIMITERS, type Place, addressOf, choose } from "./place";
import { Star, VisitsMenu } from "./Visits";

interface Props {
  place: Place;
  onNew: (() => void) | undefined;
  onMove: (() => void) | undefined;
  onRemove: (() => void) | undefined;
}

export function Bar({ place, onNew, onMove, onRemove }: Props) {
  const { prefix, search, by = SLASH } = place;
  return (
    <div className={styles.bar}>
      <div className={styles.line}>
        <Crumbs prefix={prefix} by={by} />
        <span className={styles.tools}>
          {!search && <Levels prefix={prefix} by={by} />}
          <VisitsMenu />
          {prefix !== "" && !search && <Star place={{ key: prefix, at: addressOf({ prefix, by }) }} />}
          {!search && <Button look="quiet" icon="diff" aria-label={prefix === "" ? "Differences of all keys" : `Differences below ${show(prefix)}`} title="What is different from an earlier revision" onClick={() => go(link("diff", prefix))} />}
          {onMove && prefix !== "" && !search && <Button look="quiet" icon="move" aria-label={`Move or copy all keys below ${show(prefix)}`} title="Move or copy all keys below here…" onClick={onMove} />}
          {onRemove && prefix !== "" && !search && <Button look="quiet" icon="trash" aria-label={`Delete all keys below ${show(prefix)}`} title="Delete all keys below here" onClick={onRemove} />}
          {onNew && <Button look="main" icon="plus" onClick={onNew}>New key</Button>}
        </span>
      </div>
      <SearchField key={`${prefix} ${by} ${JSON.stringify(search ?? null)}`} place={place} />
    </div>
  );
}

/** What makes levels of keys: it is remembered, and stands in the address. */
function Levels({ prefix, by }: { prefix: Key; by: Key }) {
  const named = (each: Key): string => (each === "" ? "No levels: all keys" : `Levels by ${show(each)}`);
  const items = DELIMITERS.map((each) => ({
    label: named(each),
    checked: each === by,
    run: () => {
      // Where one is may be no level of another kind.
      const end = each === "" ? SLASH : each;
      const to = addressOf({ prefix: prefix.endsWith(end) ? prefix : parent(prefix, end), by: each });
      // Only then: an address leaves out what is remembered, and has to be another one.
      choose(each);
      go(to);
    },
  }));
  return <Menu trigger={<Button look="quiet" icon="folder" aria-label={named(by)} title={`${named(by)}. Choose others`} />} items={items} />;
}

function Crumbs({ prefix, by }: { prefix: Key; by: Key }) {
  const all = levels(prefix, by === "" ? SLASH : by);
  const name = (at: Key, before: Key): string => show(at.slice(before.length));
  return (
    <nav className={styles.crumbs} aria-label="Prefix">
      <a href={addressOf({ prefix: "", by })} aria-current={prefix === "" ? "page" : undefined}>All keys</a>
      {all.map((at, index) => (
        <a key={at} href={addressOf({ prefix: at, by })} className="mono" aria-current={at === prefix ? "page" : undefined}>
          {name(at, all[index - 1] ?? "")}
        </a>
      ))}
    </nav>
  );
}

const WHERE = [["keys", "in keys"], ["values", "in values"], ["both", "in both"]] as const;

function SearchField({ place: { prefix, search, by } }: { place: Place }) {
  const [text, setText] = useState(search?.text ?? "");
  const [regex, setRegex] = useState(search?.regex ?? false);
  const [where, setWhere] = useState(search?.in ?? "keys");
  const run = (to: { text?: string; regex?: boolean; in?: "keys" | "values" | "both" } = {}): void => {
    const wish = { text, regex, in: where, ...to };
    go(addressOf({ prefix, search: wish.text === "" ? undefined : wish, by }));
  };
  return (
    <form className={styles.search} role="search" onSubmit={(event) => { event.preventDefault(); run(); }}>
      <input
        data-search
        type="search"
        className={styles.input}
        aria-label={prefix === "" ? "Search all keys" : `Search below ${show(prefix)}`}
        placeholder={prefix === "" ? "Search all keys" : "Search below here"}
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => { setText(event.target.value); if (event.target.value === "" && search) run({ text: "" }); }}
        onKeyDown={(event) => { if (event.key === "Escape") { setText(""); if (search) run({ text: "" }); } }}
      />
      <Choice label="Where to look" value={where} options={WHERE} onChoose={(to) => { setWhere(to); if (search) run({ in: to }); }} />
      <label className={styles.regex} title="A regular expression, in the syntax of RE2">
        <input type="checkbox" checked={regex} onChange={(event) => { setRegex(event.target.checked); if (search) run({ regex: event.target.checked }); }} />
        <span className="mono">.*</span>
        <span className="unseen">regular expression</span>
      </label>
    </form>
  );
}
