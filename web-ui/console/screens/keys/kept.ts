// Bookmarks and recent keys, in this browser alone.
import * as local from "../../api/local";
import { session } from "../../api/session";
import { Store } from "../../api/store";
import { toast } from "../../parts/Toasts";
import { type Kept, MOST_BOOKMARKS, type Visited, opened, read, switched } from "../../model/visited";

const NAME = "keyport.keys";

export const kept = new Store(read(localStorage.getItem(NAME)));

function keep(now: Kept): void {
  if (now === kept.get()) return;
  kept.set(now);
  local.keep(NAME, JSON.stringify(now));
}

export function visit(place: Visited): void {
  keep(opened(kept.get(), place));
}

export function mark(place: Visited): void {
  const now = switched(kept.get(), place);
  if (now === kept.get()) toast({ text: `There are ${MOST_BOOKMARKS} bookmarks, and that is all there may be`, look: "failed" });
  keep(now);
}

export function forget(): void {
  keep({ ...kept.get(), recent: [] });
}

// Other pages of the console keep theirs at the same place.
window.addEventListener("storage", ({ key, newValue }) => { if (key === NAME) kept.set(read(newValue)); });

// Who has logged out leaves nothing of what he looked at.
let user = session.get()?.user;
session.subscribe(() => {
  const now = session.get();
  if (user !== undefined && now !== undefined && now.user !== user) forget();
  user = now?.user;
});
