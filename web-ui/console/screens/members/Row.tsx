import { useState } from "react";

import { consoleOf, defragment, lead, promote, remove, votes } from "../../api/members";
import type { MemberState, Overview } from "../../api/overview";
import { onRemove } from "../../model/quorum";
import { bytes, duration } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Deed } from "../../parts/Deed";
import { Note, Tag } from "../../parts/Page";
import { toast } from "../../parts/Toasts";
import { commands } from "./commands";
import styles from "./Members.module.css";
import { Moved } from "./Moved";

interface Props {
  member: MemberState;
  of: Overview;
  mayChange: boolean;
  onChange: () => Promise<void>;
}

const LOOKS = { ok: "good", alarmed: "warn", leaderless: "bad", silent: "bad" } as const;

export function Row(props: Props) {
  const { member, of } = props;
  const free = member.db_size !== undefined && member.db_size_in_use !== undefined ? member.db_size - member.db_size_in_use : 0;
  return (
    <tr>
      <td data-label="Member">
        <span className={styles.name}>
          <strong>{member.name || "not started yet"}</strong>
          {member.leader === true && <Tag look="good">leader</Tag>}
          {member.learner === true && <Tag look="warn">learner</Tag>}
          {member.id === of.member && <Tag>this page’s</Tag>}
          <span className={`mono ${styles.soft}`}>{member.hex}</span>
        </span>
      </td>
      <td data-label="State"><Tag look={LOOKS[member.health]}>{member.health}</Tag>{member.silent_seconds !== undefined && <span className={styles.soft}> for {duration(member.silent_seconds)}</span>}</td>
      <td data-label="Database" className="figures">{member.db_size === undefined ? "not known" : <span>{bytes(member.db_size)}<span className={styles.soft}>{free > 0 && `, ${bytes(free)} free`}</span></span>}</td>
      <td data-label="Addresses"><span>{[...member.client_urls, ...member.peer_urls].map((url) => <code key={url} className={styles.urls}>{url}</code>)}</span></td>
      <td><Deeds {...props} /></td>
    </tr>
  );
}

type Open = "move" | "remove" | "lead" | "defragment" | "promote";

function Deeds({ member, of, mayChange, onChange }: Props) {
  const [open, setOpen] = useState<Open>();
  const hex = member.hex ?? "";
  const name = member.name || hex;
  const isHere = member.id === of.member;
  const isLed = of.leader !== undefined;
  const deeds = {
    remove: { commands: commands.remove(hex), run: () => remove(member.id), done: `${name} is no member any more` },
    lead: { commands: commands.lead(hex), run: () => lead(member.id), done: `${name} leads` },
    promote: { commands: commands.promote(hex), run: () => promote(member.id), done: `${name} votes` },
    defragment: { commands: commands.defragment(), run: defragment, done: `${name} is defragmented` },
  };
  const common = (what: Exclude<Open, "move">) => ({
    commands: deeds[what].commands,
    onClose: () => setOpen(undefined),
    run: async () => {
      await deeds[what].run();
      toast({ text: deeds[what].done });
      await onChange();
    },
  });
  const other = isHere ? undefined : consoleOf(member);
  return (
    <span className={styles.actions}>
      {mayChange && member.learner === true && <Button disabled={!isLed} onClick={() => setOpen("promote")}>Promote…</Button>}
      {mayChange && member.learner !== true && member.leader !== true && member.health === "ok" && <Button disabled={!isLed} onClick={() => setOpen("lead")}>Make leader…</Button>}
      {mayChange && isHere && <Button onClick={() => setOpen("defragment")}>Defragment…</Button>}
      {other !== undefined && <a href={other} title="To defragment it, or to see what it sees">Its console</a>}
      {mayChange && <Button look="quiet" icon="edit" disabled={!isLed} aria-label={`Change the peer URLs of ${name}`} title="Change its peer URLs…" onClick={() => setOpen("move")} />}
      {mayChange && <Button look="danger" icon="trash" aria-label={`Remove ${name}`} onClick={() => setOpen("remove")} />}
      <CopyAs commands={[...deeds.remove.commands.map(({ label, text }) => ({ label: `${label}: remove`, text })), { label: "Copy id", text: hex }]} />
      {open === "move" && <Moved name={name} member={member} of={of} onChange={onChange} onClose={() => setOpen(undefined)} />}
      {open === "promote" && <Deed title={`Promote ${name}?`} about="It votes from then on. The cluster refuses it while it has not caught up." deed="Promote" {...common("promote")} />}
      {open === "lead" && <Lead name={name} of={of} common={common("lead")} />}
      {open === "defragment" && <Defragment name={name} member={member} of={of} common={common("defragment")} />}
      {open === "remove" && <Remove name={name} member={member} of={of} common={common("remove")} />}
    </span>
  );
}

interface Common {
  commands: ReturnType<typeof commands.remove>;
  run: () => Promise<void>;
  onClose: () => void;
}

function Lead({ name, of, common }: { name: string; of: Overview; common: Common }) {
  const isAsked = of.leader === of.member;
  const leader = of.members.find(({ leader: leads }) => leads === true);
  return (
    <Deed title={`Make ${name} the leader?`} about="Writes wait for a moment, until it leads." deed="Make leader" disabled={!isAsked} {...common}>
      {!isAsked && (
        <Note>Only the leader can give it away, and this page is of another member. {leader && consoleOf(leader) !== undefined && <a href={consoleOf(leader)}>To the console of {leader.name}</a>}</Note>
      )}
    </Deed>
  );
}

function Defragment({ name, member, of, common }: { name: string; member: MemberState; of: Overview; common: Common }) {
  const silent = of.members.filter(({ health }) => health === "silent").length;
  return (
    <Deed title={`Defragment ${name}?`} about="What is free in the file of its database goes back to the disk. It serves meanwhile, with the disk and a processor to share: one member at a time." deed="Defragment" {...common}>
      {silent > 0 && <Note danger>{silent === 1 ? "A member does not answer" : `${silent} members do not answer`}: with this one busy, too, there may be too few.</Note>}
      {member.leader === true && of.members.length > 1 && <Note>It leads: writes wait until it is done. Make another one the leader first.</Note>}
    </Deed>
  );
}

function Remove({ name, member, of, common }: { name: string; member: MemberState; of: Overview; common: Common }) {
  const warning = onRemove(votes(of), member.id);
  return (
    <Deed danger title={`Remove ${name}?`} about="It belongs to the cluster no more, and ends. With its data it cannot come back: it would be added anew." deed="Remove" typed={name} disabled={warning?.isFatal === true || of.leader === undefined} {...common}>
      {warning && <Note danger={warning.isFatal}>{warning.text}</Note>}
      {member.leader === true && <Note>It leads: the others elect another one, and writes wait for it.</Note>}
    </Deed>
  );
}
