// What the store needs now and then: old revisions dropped, an alarm taken back.
import { useState } from "react";

import { compact, disarm } from "../../api/members";
import type { Overview } from "../../api/overview";
import { bytes, count, hexId } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Deed } from "../../parts/Deed";
import { TextField } from "../../parts/Fields";
import { Card, Note } from "../../parts/Page";
import { toast } from "../../parts/Toasts";
import { commands } from "./commands";
import styles from "./Members.module.css";

interface Props {
  of: Overview;
  mayChange: boolean;
  onChange: () => Promise<void>;
}

export function Upkeep({ of, mayChange, onChange }: Props) {
  const [open, setOpen] = useState<"compact" | "disarm">();
  const named = (id: string): string => of.members.find((member) => member.id === id)?.name ?? hexId(id);
  const close = () => setOpen(undefined);
  const said = of.alarms.map(({ member, alarm }) => `${alarm} on ${named(member)}`).join(", ");
  return (
    <>
      {said !== "" && (
        <div className={styles.alarm}>
          <Note danger>Alarm: {said}. It stays until somebody takes it back.</Note>
          {mayChange && <Button look="danger" onClick={() => setOpen("disarm")}>Disarm…</Button>}
        </div>
      )}
      <Card
        title="History of the store"
        tools={<>{mayChange && <Button onClick={() => setOpen("compact")}>Compact…</Button>}<CopyAs commands={commands.compact(of.revision)} /></>}
      >
        <p className={styles.text}>
          Each change is a revision, of which {count(of.revision)} is the last one, and what keys were before is kept until it is compacted. What that frees in a database is used again;
          the file itself gets smaller when a member is defragmented.
        </p>
      </Card>
      {open === "compact" && <Compact now={of.revision} onChange={onChange} onClose={close} />}
      {open === "disarm" && (
        <Deed
          danger
          title="Disarm all alarms?"
          about={`${said}. One that has its cause still is raised again: make room before, by deleting keys, compacting and defragmenting, or by a larger quota.`}
          deed="Disarm"
          commands={commands.disarm()}
          run={async () => { await disarm(); toast({ text: "All alarms are disarmed" }); await onChange(); }}
          onClose={close}
        >
          <Note>{of.members.map(({ name, db_size: size }) => `${name}: ${size === undefined ? "not known" : bytes(size)}`).join(", ")}</Note>
        </Deed>
      )}
    </>
  );
}

function Compact({ now, onChange, onClose }: { now: string; onChange: () => Promise<void>; onClose: () => void }) {
  const [text, setText] = useState(now);
  const isRevision = /^[1-9]\d{0,18}$/.test(text) && BigInt(text) <= BigInt(now);
  const run = async (): Promise<void> => {
    await compact(text);
    toast({ text: `What was before revision ${count(text)} is compacted` });
    await onChange();
  };
  return (
    <Deed
      danger
      title="Compact the history?"
      about="What keys were before that revision is gone for good, on all members: nothing can be read, restored or diffed there, and who watches from before it has to begin anew. Keys as they are now stay."
      deed="Compact"
      typed="compact"
      disabled={!isRevision}
      commands={commands.compact(isRevision ? text : now)}
      run={run}
      onClose={onClose}
    >
      <TextField
        label="The oldest revision to keep"
        mono
        inputMode="numeric"
        value={text}
        onChange={(event) => setText(event.target.value.trim())}
        hint={isRevision ? `${count(BigInt(now) - BigInt(text) + 1n)} of them stay readable, up to ${count(now)} as it was when this was opened.` : `A revision is a number from 1 to ${count(now)}.`}
      />
    </Deed>
  );
}
