// What a change of the members does to the quorum, before it is made.

export interface MemberState {
  id: string;
  name: string;
  learner: boolean;
  leader: boolean;
  /** It answers. */
  isUp: boolean;
}

export interface Warning {
  /** The cluster would stand still: it is not offered. */
  isFatal: boolean;
  text: string;
}

export function needed(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

function counts(members: readonly MemberState[]): { voters: number; up: number } {
  const voters = members.filter(({ learner }) => !learner);
  return { voters: voters.length, up: voters.filter(({ isUp }) => isUp).length };
}

/** What is to be said before a member is removed. */
export function onRemove(members: readonly MemberState[], id: string): Warning | undefined {
  const member = members.find((each) => each.id === id);
  if (!member || member.learner) return undefined;
  const { voters, up } = counts(members);
  const rest = { voters: voters - 1, up: up - (member.isUp ? 1 : 0) };
  if (rest.voters === 0) return { isFatal: true, text: "It is the only one that votes: without it there is no cluster." };
  const need = needed(rest.voters);
  if (rest.up < need) {
    return { isFatal: true, text: `${rest.up} of ${rest.voters} voters would answer, and ${need} are needed: the cluster would stand still. Bring back one that does not answer first.` };
  }
  if (rest.up === need) return { isFatal: false, text: `All ${need} voters that are needed would be there, and none to spare: if one more fails, the cluster stands still.` };
  return undefined;
}

/** What is to be said before a member is added that votes at once. */
export function onAdd(members: readonly MemberState[]): Warning | undefined {
  const { voters, up } = counts(members);
  const need = needed(voters + 1);
  // It does not answer before it has been started.
  if (up < need) return { isFatal: true, text: `${need} of ${voters + 1} voters would be needed, and ${up} answer: the cluster would stand still until it is started. Add a learner instead.` };
  return { isFatal: false, text: "It counts as a voter before it has been started. A learner does not, and is promoted once it has caught up." };
}

/** What is to be said before the others look for a member elsewhere: until they find it there, it is as if it had failed. */
export function onMoved(members: readonly MemberState[], id: string): Warning | undefined {
  const member = members.find((each) => each.id === id);
  const { voters, up } = counts(members);
  if (!member || member.learner || voters === 1) return undefined;
  const need = needed(voters);
  const rest = up - (member.isUp ? 1 : 0);
  if (rest >= need) return undefined;
  return { isFatal: false, text: `Until it is found there, ${rest} of ${voters} voters answer, and ${need} are needed: if it does not listen there, the cluster stands still, and this cannot be taken back.` };
}
