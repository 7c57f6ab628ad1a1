// Members of the cluster, and what is done with them.
import { ofMember } from "../model/consoles";
import type { MemberState as Vote } from "../model/quorum";
import { address, base } from "./base";
import { call, send } from "./client";
import type { MemberState, Overview } from "./overview";

export function votes({ members }: Overview): Vote[] {
  return members.map((member) => ({
    id: member.id,
    name: member.name,
    learner: member.learner === true,
    leader: member.leader === true,
    isUp: member.health !== "silent",
  }));
}

export async function add(peerUrl: string, learner: boolean): Promise<void> {
  await call("post", "/v3/members", { body: { peer_urls: [peerUrl], learner } });
}

/** Tells the others where a member is to be found from now on. */
export async function move(id: string, peerUrls: readonly string[]): Promise<void> {
  await call("patch", "/v3/members/{id}", { at: { id }, body: { peer_urls: [...peerUrls] } });
}

export async function promote(id: string): Promise<void> {
  await call("post", "/v3/members/{id}/promote", { at: { id } });
}

export async function remove(id: string): Promise<void> {
  await call("delete", "/v3/members/{id}", { at: { id } });
}

export async function lead(id: string): Promise<void> {
  await call("post", "/v3/members/{id}/lead", { at: { id } });
}

/** The member that the page is of alone: a member defragments itself. */
export async function defragment(): Promise<void> {
  await call("post", "/v3/maintenance/defragment", { body: {} });
}

/** Drops what was before a revision, and comes back when that is done. */
export async function compact(revision: string): Promise<void> {
  await call("post", "/v3/kv/compaction", { body: { revision, physical: true } });
}

export async function disarm(): Promise<void> {
  await send(address("v3/alarms"), { method: "DELETE" });
}

/** The console of another member, where a browser may find it: what has to be asked of that member is done there. */
export function consoleOf(member: MemberState): string | undefined {
  const at = ofMember(member.client_urls, base.href);
  return "url" in at ? `${at.url}#/members` : undefined;
}

