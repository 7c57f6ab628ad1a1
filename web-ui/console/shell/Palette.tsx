// Everything by its name.
import { type KeyboardEvent, useState } from "react";

import * as api from "../api/session";
import { Dialog } from "../parts/Dialog";
import { Icon, type IconName } from "../parts/Icon";
import { ofText, show } from "../model/keys";
import { go, link } from "../parts/route";
import { inSentence, screens } from "../screens";
import { kept } from "../screens/keys/kept";
import { type Others, useOthers } from "./consoles/useOthers";
import styles from "./Palette.module.css";
import { choose } from "./theme";

interface Entry {
  label: string;
  icon: IconName;
  run: () => void;
}

function entries(text: string, { members, kept: consoles }: Others, { onHelp, onConsoles }: Pick<Props, "onHelp" | "onConsoles">): Entry[] {
  const all: Entry[] = [
    ...screens.map(({ id, title, icon }) => ({ label: `Go to ${inSentence(title)}`, icon, run: () => go(link(id)) })),
    { label: "Light colours", icon: "sun", run: () => choose("light") },
    { label: "Dark colours", icon: "moon", run: () => choose("dark") },
    { label: "Colours as the system has them", icon: "auto", run: () => choose("auto") },
    { label: "Keyboard shortcuts", icon: "keys", run: onHelp },
  ];
  for (const { name, href } of consoles) if (href !== undefined) all.push({ label: `Console: ${name}`, icon: "server", run: () => window.location.assign(href) });
  all.push({ label: "Other consoles…", icon: "server", run: onConsoles });
  const { bookmarks, recent } = kept.get();
  const fresh = recent.filter(({ at }) => !bookmarks.some((each) => each.at === at));
  // Behind the screens as long as nothing is typed, which are few.
  for (const { key, at } of bookmarks) all.push({ label: `Bookmark: ${show(key)}`, icon: "star", run: () => go(at) });
  for (const { key, at } of fresh) all.push({ label: `Recent key: ${show(key)}`, icon: "history", run: () => go(at) });
  const who = api.session.get();
  if (who?.user !== undefined) all.push({ label: "Log out", icon: "out", run: () => void api.end() });
  const words = text.toLowerCase().split(/\s+/);
  const isMeant = ({ label }: { label: string }): boolean => words.every((word) => label.toLowerCase().includes(word));
  const found = all.filter(isMeant);
  // Told last: what somebody has begun to choose stays where it is.
  const told = members.flatMap(({ name, href, note }) => (href === undefined ? [] : [{ label: `Console of ${name}${note === undefined ? "" : `, ${note}`}`, icon: "server" as const, run: () => window.location.assign(href) }])).filter(isMeant);
  if (text.trim() === "") return [...found, ...told];
  const key = text.trim();
  return [
    ...found,
    { label: `Open the key ${key}`, icon: "file", run: () => go(link("keys", ofText(key))) },
    { label: `Search keys for ${key}`, icon: "search", run: () => go(link("keys", "", { search: key })) },
    ...told,
  ];
}

interface Props {
  onClose: () => void;
  onConsoles: () => void;
  onHelp: () => void;
}

export function Palette({ onClose, onConsoles, onHelp }: Props) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const found = entries(text, useOthers(true), { onHelp, onConsoles });

  const pick = (entry: Entry | undefined): void => {
    onClose();
    entry?.run();
  };
  const pressed = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setAt((at + 1) % found.length);
    else if (event.key === "ArrowUp") setAt((at - 1 + found.length) % found.length);
    else if (event.key === "Enter") pick(found[at]);
    else return;
    event.preventDefault();
  };

  return (
    <Dialog title="Go to, or do" onClose={onClose}>
      <input
        className={styles.input}
        role="combobox"
        aria-expanded="true"
        aria-controls="palette"
        aria-activedescendant={`palette-${at}`}
        aria-label="What to do"
        placeholder="A screen, a key, something to do"
        value={text}
        onChange={(event) => { setText(event.target.value); setAt(0); }}
        onKeyDown={pressed}
      />
      <div id="palette" role="listbox" aria-label="What there is" className={styles.list}>
        {found.map((entry, index) => (
          <div
            key={entry.label}
            id={`palette-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            className={styles.entry}
            onClick={() => pick(entry)}
            onKeyDown={pressed}
          >
            <Icon name={entry.icon} />
            <span>{entry.label}</span>
          </div>
        ))}
      </div>
    </Dialog>
  );
}
