// What is kept of the console: what is written, for as long as the page is there, and what was run, in the browser.
import { Store } from "../../api/store";
import { read, remembered } from "../../model/query/history";

const NAME = "keyport.console.history";

const FIRST = `# A call a line: a command of etcdctl, or a request.
# Ctrl Enter runs the one that the cursor is on.
get '' --prefix --limit 10
member list

GET /v3/overview
`;

export const draft = new Store(FIRST);
export const history = new Store(read(localStorage.getItem(NAME)));

export function remember(text: string): void {
  const now = remembered(history.get(), text);
  if (now === history.get()) return;
  history.set(now);
  try {
    localStorage.setItem(NAME, JSON.stringify(now));
  } catch {
    // The browser has no room for it, or gives pages none: it is there until the page is closed.
  }
}

export function forget(): void {
  history.set([]);
  localStorage.removeItem(NAME);
}
