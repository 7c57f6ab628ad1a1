import { useState } from "react";

import { move, votes } from "../../api/members";
import type { MemberState, Overview } from "../../api/overview";
import { complaintOf, urlsOf } from "../../model/peers";
import { onMoved } from "../../model/quorum";
import { Deed } from "../../parts/Deed";
import { TextField } from "../../parts/Fields";
import { Note } from "../../parts/Page";
import { toast } from "../../parts/Toasts";
import { commands } from "./commands";

interface Props {
  name: string;
  member: MemberState;
  of: Overview;
  onChange: () => Promise<void>;
  onClose: () => void;
}

/** Tells the others where a member is to be found. */
export function Moved({ name, member, of, onChange, onClose }: Props) {
  const before = member.peer_urls.join(", ");
  const [text, setText] = useState(before);
  const urls = urlsOf(text);
  const wrong = complaintOf(urls, of.members.filter(({ id }) => id !== member.id));
  const isSame = urls.join(", ") === before;
  const warning = onMoved(votes(of), member.id);
  const run = async (): Promise<void> => {
    await move(member.id, urls);
    toast({ text: `The others look for ${name} at ${urls.join(", ")}` });
    await onChange();
  };
  return (
    <Deed
      title={`Change the peer URLs of ${name}?`}
      about="It is where the other members find it. Where it listens is another matter: start it with --listen-peer-urls for the new address first, beside the old one."
      deed="Change"
      danger={warning !== undefined}
      typed={warning && name}
      disabled={isSame || wrong !== undefined || of.leader === undefined}
      commands={commands.move(member.hex ?? "", urls)}
      run={run}
      onClose={onClose}
    >
      <TextField label="Where other members find it" mono value={text} onChange={(event) => setText(event.target.value)} hint={wrong ?? "Its peer URLs, with the port; commas between, if there are several"} />
      {warning && <Note danger>{warning.text}</Note>}
    </Deed>
  );
}
