// Other consoles: those of the members, with what is in the way of those that a browser cannot find, and those that are kept.
import { type SyntheticEvent, useRef, useState } from "react";

import { base } from "../../api/base";
import { useStore } from "../../api/store";
import { MOST, complaintOf, kept as keptWith, named, read, without } from "../../model/consoles";
import { plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { TextField } from "../../parts/Fields";
import { save } from "../../parts/file";
import { Tag } from "../../parts/Page";
import { toast } from "../../parts/Toasts";
import { consoles, keep } from "./kept";
import styles from "./Manage.module.css";
import { type Other, useOthers } from "./useOthers";

/** No list that is kept is longer. */
const MOST_BYTES = 65_536;
const LOOKS = { "this page’s": undefined, leader: "good", "no answer": "bad" } as const;

export default function Manage({ onClose }: { onClose: () => void }) {
  const all = useStore(consoles);
  const { members, failure, kept } = useOthers(true);
  const [name, setName] = useState("");
  const [address, setAddress] = useState("");
  const file = useRef<HTMLInputElement>(null);
  const wrong = address.trim() === "" ? undefined : complaintOf(all, name, address);
  const there = named(all, name);

  const added = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (complaintOf(all, name, address) !== undefined) return;
    keep(keptWith(all, name, address));
    toast({ text: `${name.trim()} is kept in this browser`, action: { label: "Undo", run: () => keep(all) } });
    setName("");
    setAddress("");
  };
  const removed = (one: string): void => {
    keep(without(all, one));
    toast({ text: `${one} is taken away`, action: { label: "Undo", run: () => keep(all) } });
  };
  const imported = async (from: File | undefined): Promise<void> => {
    if (!from) return;
    const so = from.size > MOST_BYTES ? { all, leftOut: 1 } : read(await from.text(), all);
    if (so.all === all) {
      toast({ text: `There is no list of consoles in ${from.name} that could be taken`, look: "failed" });
      return;
    }
    keep(so.all);
    toast({ text: `${plural(so.all.length, "console")} ${so.all.length === 1 ? "is" : "are"} kept now${so.leftOut > 0 ? `, ${so.leftOut} of the file left out` : ""}`, action: { label: "Undo", run: () => keep(all) } });
  };

  return (
    <Dialog title="Other consoles" about="A page works with its own server alone. These lead to the consoles of others, to the same screen there." onClose={onClose}>
      <section className={styles.part} aria-labelledby="consoles-members">
        <h3 id="consoles-members">Members of this cluster</h3>
        {base.pathname !== "/" && members.length > 1 && <p className={styles.soft}>At the addresses that they tell, past the proxy that has put <code>{base.pathname}</code> before this page.</p>}
        {members.length === 0 && <p className={styles.soft}>{failure ?? "Asking for them"}</p>}
        {members.length > 0 && <List label="Consoles of members" all={members} />}
      </section>
      <section className={styles.part} aria-labelledby="consoles-kept">
        <h3 id="consoles-kept">Kept in this browser</h3>
        {kept.length === 0 && <p className={styles.soft}>None yet. Browsers keep them for each address by itself: export them here, and import them there.</p>}
        {kept.length > 0 && <List label="Consoles that are kept" all={kept} onRemove={removed} />}
        <form id="consoles" className={styles.form} onSubmit={added}>
          <TextField label="Name" value={name} onChange={(event) => setName(event.target.value)} />
          <TextField label="Address" mono placeholder="https://db.example:2379" inputMode="url" value={address} onChange={(event) => setAddress(event.target.value)} />
          <div className={styles.hint} role="status">{wrong ?? (there && "It takes the place of the one of this name.") ?? `${all.length} of ${MOST}`}</div>
        </form>
      </section>
      <Actions>
        <input ref={file} type="file" hidden accept=".json,application/json" aria-label="A list of consoles" onChange={(event) => { void imported(event.target.files?.[0]); event.target.value = ""; }} />
        <Button onClick={() => file.current?.click()}>Import…</Button>
        <Button disabled={all.length === 0} onClick={() => save("keyport-consoles.json", [`${JSON.stringify(all, undefined, 2)}\n`], "application/json")}>Export</Button>
        <Button type="submit" form="consoles" look="main" disabled={address.trim() === "" || wrong !== undefined}>Keep</Button>
      </Actions>
    </Dialog>
  );
}

function List({ label, all, onRemove }: { label: string; all: readonly Other[]; onRemove?: (name: string) => void }) {
  return (
    <ul className={styles.list} aria-label={label}>
      {all.map(({ name, note, url, href, why }, at) => (
        <li key={`${at} ${name}`}>
          <span className={styles.words}>
            <span className={styles.name}>{href === undefined ? <strong>{name}</strong> : <a href={href}>{name}</a>}{note !== undefined && <Tag look={LOOKS[note]}>{note}</Tag>}</span>
            {url !== undefined && <code>{url}</code>}
            {why !== undefined && <span className={styles.soft}>{why}</span>}
          </span>
          {onRemove && <Button look="quiet" icon="trash" aria-label={`Take ${name} away`} title="Take it away" onClick={() => onRemove(name)} />}
        </li>
      ))}
    </ul>
  );
}
