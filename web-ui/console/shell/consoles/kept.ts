// Consoles of other servers, in this browser alone; each address has its own, as browsers have it.
import { base } from "../../api/base";
import * as local from "../../api/local";
import { Store } from "../../api/store";
import { type Kept, read } from "../../model/consoles";

const NAME = "keyport.consoles";

export const consoles = new Store(read(localStorage.getItem(NAME)).all);

export function keep(now: readonly Kept[]): void {
  consoles.set(now);
  local.keep(NAME, JSON.stringify(now));
}

// Other pages of the console keep theirs at the same place.
window.addEventListener("storage", ({ key, newValue }) => { if (key === NAME) consoles.set(read(newValue).all); });

/** The address of this one. */
export const HERE = new URL("ui/", base).href;
