// Where else one may go: the members of this cluster, and what is kept.
import { useQuery } from "@tanstack/react-query";

import { overview } from "../../api/overview";
import { useStore } from "../../api/store";
import { elsewhere, ofMember } from "../../model/consoles";
import { here } from "../../parts/route";
import { HERE, consoles } from "./kept";

export interface Other {
  name: string;
  /** Of a member: the page is its own, it leads, it does not answer. */
  note?: "this page’s" | "leader" | "no answer" | undefined;
  /** The address of its server, for who reads it. */
  url?: string;
  /** The same place there. */
  href?: string;
  /** Why there is no way there. */
  why?: string;
}

export interface Others {
  members: readonly Other[];
  /** Why no members are told. */
  failure?: string | undefined;
  kept: readonly Other[];
}

/** Members are asked for as soon as somebody looks. */
export function useOthers(isSeen: boolean): Others {
  const kept = useStore(consoles);
  const { data, error } = useQuery({ queryKey: ["overview", "others"], queryFn: ({ signal }) => overview(signal, { isHelp: true }), enabled: isSeen });
  const place = here();
  const members = (data?.members ?? []).map((member): Other => {
    const name = member.name || "not started yet";
    if (member.id === data?.member) return { name, url: serverOf(HERE), note: "this page’s" };
    const at = ofMember(member.client_urls, HERE);
    const note = member.health === "silent" ? "no answer" : member.leader === true ? "leader" : undefined;
    return "why" in at ? { name, note, why: at.why } : { name, note, url: serverOf(at.url), href: `${at.url}#/${place}` };
  });
  return {
    members: members.toSorted((one, other) => one.name.localeCompare(other.name)),
    failure: error?.message,
    kept: kept.map(({ name, url }) => (url === HERE ? { name, url: serverOf(url), note: "this page’s" } : { name, url: serverOf(url), href: `${url}#/${elsewhere(place)}` })),
  };
}

function serverOf(url: string): string {
  return url.replace(/\/ui\/$/, "");
}
