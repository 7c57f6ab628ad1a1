// What is kept of the console: what is written, for as long as the page is there, and what was run, in the browser.
import * as local from "../../api/local";
import { Store } from "../../api/store";
import { read, remembered } from "../../model/query/history";
import * as snippet from "../../model/query/snippets";

const NAME = "keyport.console.history";
const SNIPPETS = "keyport.console.snippets";

const FIRST = `# A call a line: a command of etcdctl, or a request.
# Ctrl Enter runs the one that the cursor is on.
get '' --prefix --limit 10
member list

GET /v3/overview
`;

export const draft = new Store(FIRST);
export const history = new Store(read(localStorage.getItem(NAME)));

/** By their names. */
export const snippets = new Store(snippet.read(localStorage.getItem(SNIPPETS)));

export function remember(text: string): void {
  const now = remembered(history.get(), text);
  if (now === history.get()) return;
  history.set(now);
  local.keep(NAME, JSON.stringify(now));
}

export function forget(): void {
  history.set([]);
  localStorage.removeItem(NAME);
}

export function keep(one: snippet.Snippet): void {
  snippets.set(snippet.kept(snippets.get(), one));
  local.keep(SNIPPETS, JSON.stringify(snippets.get()));
}

export function drop(name: string): void {
  snippets.set(snippet.without(snippets.get(), name));
  local.keep(SNIPPETS, JSON.stringify(snippets.get()));
}

// Other pages of the console keep theirs at the same place.
window.addEventListener("storage", ({ key, newValue }) => { if (key === SNIPPETS) snippets.set(snippet.read(newValue)); });
