// Whether the server answers. While it does not, it is asked again and again, and those who wait are told when it is back.
import { address } from "./base";
import { Store } from "./store";

export type Reach = "here" | "away";

export const reach = new Store<Reach>("here");

const EVERY_MS = 1_000;
let timer: ReturnType<typeof setTimeout> | undefined;

export function answered(): void {
  clearTimeout(timer);
  timer = undefined;
  reach.set("here");
}

export function silent(): void {
  reach.set("away");
  timer ??= setTimeout(() => void ask(), EVERY_MS);
}

async function ask(): Promise<void> {
  timer = undefined;
  try {
    await fetch(address("version"), { signal: AbortSignal.timeout(EVERY_MS * 5) });
    answered();
  } catch {
    silent();
  }
}
