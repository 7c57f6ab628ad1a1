import { Button } from "./Button";
import { Menu } from "./Menu";
import { toast } from "./Toasts";

export interface Command {
  label: string;
  text: string;
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast({ text: `Copied ${what}` });
  } catch {
    // Over plain HTTP, away from this machine, browsers have no clipboard for pages.
    toast({ text: fallback(text) ? `Copied ${what}` : "The browser does not let pages copy here", look: "done" });
  }
}

function fallback(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way there is without TLS
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** The same, done elsewhere: as curl, as etcdctl, as a link. */
export function CopyAs({ commands }: { commands: readonly Command[] }) {
  const items = commands.map(({ label, text }) => ({ label, run: () => void copy(text, label.replace(/^Copy /, "")) }));
  return <Menu trigger={<Button icon="copy" look="quiet" aria-label="Copy as" title="Copy as…" />} items={items} />;
}
