// What the operator lets the console be used for.
import { address } from "./base";
import { Store, useStore } from "./store";

export interface Settings {
  mode: "on" | "read-only" | "off";
  version: string;
  etcdserver: string;
}

export const settings = new Store<Settings | undefined>(undefined);

export async function load(): Promise<void> {
  const response = await fetch(address("ui/settings.json"));
  if (response.ok) settings.set((await response.json()) as Settings);
}

/** Whether changes are offered. Until it is known that they are, they are not. */
export function useMayChange(): boolean {
  return useStore(settings)?.mode === "on";
}
