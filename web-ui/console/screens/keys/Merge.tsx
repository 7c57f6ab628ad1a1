// A merge: what is taken, what is to be chosen, and what comes of it.
import { useMemo, useState } from "react";

import type { Value } from "../../api/keys";
import type { Form } from "../../model/conflict";
import { diffLines, hunks } from "../../model/diff";
import type { Key } from "../../model/keys";
import { type Choice, type Conflict, type Region, merge, resolved } from "../../model/merge";
import { plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { DiffLines } from "../../parts/Diff";
import { Choice as Select } from "../../parts/Fields";
import { Tag } from "../../parts/Page";
import { writeCommands } from "./commands";
import styles from "./Conflict.module.css";
import { complaint } from "./content";

interface Props {
  name: Key;
  form: Extract<Form, { kind: "text" }>;
  theirs: Value;
  isSaving: boolean;
  onSave: (bytes: Uint8Array) => void;
  onEdit: (bytes: Uint8Array) => void;
}

const FORMS = [["as it is", "as it is"], ["laid out", "laid out in lines"]] as const;

export function Merge({ name, form, theirs, isSaving, onSave, onEdit }: Props) {
  const [view, setView] = useState<"as it is" | "laid out">("as it is");
  const sides = view === "laid out" && form.laidOut ? form.laidOut : form.asItIs;
  const regions = useMemo(() => merge(sides.base, sides.theirs, sides.mine), [sides]);
  const [choices, setChoices] = useState<readonly (Choice | undefined)[]>([]);
  const conflicts = regions.filter((region) => region.kind === "conflict").length;
  const open = Array.from({ length: conflicts }, (_, at) => choices[at]).filter((choice) => choice === undefined).length;
  const result = resolved(regions, choices);
  const bytes = new TextEncoder().encode(result);
  const wrong = open === 0 && form.isJson ? complaint(result, "json") : undefined;
  return (
    <>
      {form.laidOut && (
        <div className={styles.line}>
          <Select label="Merged" value={view} options={FORMS} onChoose={(to) => { setView(to); setChoices([]); }} />
          <span className={styles.note}>{view === "laid out" ? "What is saved is in lines, too, as it is shown here." : "It is JSON, with much on one line: laid out, less of it is in conflict."}</span>
        </div>
      )}
      <p className={styles.sums} role="status">
        <Tag>{plural(taken(regions, "theirs"), "change")} of theirs</Tag>
        <Tag>{plural(taken(regions, "mine"), "change")} of mine</Tag>
        {taken(regions, "both") > 0 && <Tag>{plural(taken(regions, "both"), "change")} of both, alike</Tag>}
        {conflicts > 0 && <Tag look={open > 0 ? "warn" : "good"}>{open > 0 ? `${plural(open, "place")} to choose` : `${plural(conflicts, "place")} chosen`}</Tag>}
      </p>
      <ol className={styles.regions} aria-label="What is put together">
        <Regions regions={regions} choices={choices} onChoose={(at, choice) => setChoices(Array.from({ length: conflicts }, (_, each) => (each === at ? choice : choices[each])))} />
      </ol>
      <section>
        <h3 className={styles.title}>The result</h3>
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reached */}
        <pre className={styles.result} tabIndex={0} aria-label="The result">{result}</pre>
        {open > 0 && <p className={styles.note}>What is not chosen yet is in it as it was before either of you.</p>}
        {wrong !== undefined && <p className={styles.wrong} role="alert">{wrong}. Edit the result before it is saved.</p>}
      </section>
      <div className={styles.deeds}>
        {open === 0 && <CopyAs commands={writeCommands(name, bytes, theirs.modRevision)} />}
        <Button disabled={open > 0 || isSaving} onClick={() => onEdit(bytes)}>Edit the result</Button>
        <Button look="main" disabled={open > 0 || wrong !== undefined || isSaving} onClick={() => onSave(bytes)}>Save the result</Button>
      </div>
    </>
  );
}

function taken(regions: readonly Region[], by: "theirs" | "mine" | "both"): number {
  return regions.filter((region) => region.kind === "taken" && region.by === by).length;
}

const WHOSE = { theirs: "Theirs", mine: "Mine", both: "Both, alike" };

interface RegionsProps {
  regions: readonly Region[];
  choices: readonly (Choice | undefined)[];
  onChoose: (at: number, choice: Choice) => void;
}

function Regions({ regions, choices, onChoose }: RegionsProps) {
  const numbers = new Map(regions.filter((region) => region.kind === "conflict").map((region, at) => [region, at]));
  return regions.map((region, at) => {
    if (region.kind === "same") return <li key={at} className={styles.same}>{plural(region.lines.length, "line")} the same</li>;
    if (region.kind === "taken") {
      return (
        <li key={at} className={styles.region}>
          <h3>{WHOSE[region.by]}</h3>
          <DiffLines lines={hunks(diffLines(region.base, region.lines))} label={`${WHOSE[region.by]}, taken`} />
        </li>
      );
    }
    const number = numbers.get(region) ?? 0;
    return <li key={at} className={styles.region}><Place region={region} number={number} of={numbers.size} choice={choices[number]} onChoose={(choice) => onChoose(number, choice)} /></li>;
  });
}

const CHOICES = [["theirs", "Theirs"], ["mine", "Mine"], ["both", "Both, theirs first"]] as const;

interface PlaceProps {
  region: Conflict;
  number: number;
  of: number;
  choice: Choice | undefined;
  onChoose: (choice: Choice) => void;
}

/** Where both have changed something: what each of them did, and which of it to take. */
function Place({ region, number, of, choice, onChoose }: PlaceProps) {
  const where = `Place ${number + 1} of ${of}`;
  return (
    <fieldset className={styles.place}>
      <legend>{where}: both changed it, at line {region.from}</legend>
      <div className={styles.two}>
        {(["theirs", "mine"] as const).map((side) => (
          <div key={side}>
            <h3>{WHOSE[side]}</h3>
            <DiffLines lines={hunks(diffLines(region.base, region[side]))} label={`${where}, ${side}`} />
          </div>
        ))}
      </div>
      <div className={styles.choices}>
        {CHOICES.map(([each, label]) => (
          <label key={each}><input type="radio" name={`place-${number}`} checked={choice === each} onChange={() => onChoose(each)} /> {label}</label>
        ))}
      </div>
    </fieldset>
  );
}
