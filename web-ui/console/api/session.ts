// Who works with the page. The cookie is out of its reach; all it knows is what the server says. When a call finds that nobody
// is logged in, it waits here until somebody is, and is made again: whoever typed something has it still.
import { isTyping } from "../model/field";
import { address } from "./base";
import { Problem } from "./problem";
import { answered } from "./reach";
import { Store, useStore } from "./store";

export interface Session {
  authentication: boolean;
  user?: string;
  roles?: string[];
}

/** Set while calls wait for somebody to log in: `done` lets them go on, or fail. */
export interface Ask {
  /** The dialog is open; otherwise the page says so, and waits until somebody opens it. */
  isOpen: boolean;
  done: (loggedIn: boolean) => void;
}

export const session = new Store<Session | undefined>(undefined);
export const asked = new Store<Ask | undefined>(undefined);

let waiting: Promise<boolean> | undefined;

/** Somebody did not want to log in: from then on nothing but what he does himself opens the dialog. */
let isDeclined = false;

/**
 * Asks for a login, once for all who want one. What somebody has begun `byHand` opens the dialog; what the page asks for by itself
 * takes the keyboard from nobody who types.
 */
export function login(byHand: boolean): Promise<boolean> {
  waiting ??= new Promise<boolean>((done) => {
    asked.set({ isOpen: false, done });
  }).then((loggedIn) => {
    isDeclined = !loggedIn;
    waiting = undefined;
    asked.set(undefined);
    return loggedIn;
  });
  const ask = asked.get();
  if (ask && (byHand || !(isDeclined || isTyping()))) asked.set({ ...ask, isOpen: true });
  return waiting;
}

/** Whether somebody may do what is for root alone. Until it is known that he may, he may not. */
export function useIsRoot(): boolean {
  const who = useStore(session);
  return who !== undefined && (!who.authentication || who.roles?.includes("root") === true);
}

export async function load(): Promise<void> {
  const response = await fetch(address("v3/session"));
  answered();
  if (response.ok) session.set((await response.json()) as Session);
  else if (response.status === 401) session.set({ authentication: true });
}

export async function begin(name: string, password: string): Promise<void> {
  const response = await fetch(address("v3/session"), { method: "POST", body: JSON.stringify({ name, password }) });
  answered();
  if (!response.ok) throw await Problem.of(response);
  session.set((await response.json()) as Session);
}

export async function end(): Promise<void> {
  await fetch(address("v3/session"), { method: "DELETE" });
  session.set({ authentication: true });
}
