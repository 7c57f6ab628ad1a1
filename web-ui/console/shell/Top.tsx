import * as api from "../api/session";
import { useStore } from "../api/store";
import { Button } from "../parts/Button";
import { Icon, type IconName } from "../parts/Icon";
import { Menu } from "../parts/Menu";
import { toast } from "../parts/Toasts";
import { type Theme, choose, theme } from "./theme";
import { Switch } from "./consoles/Switch";
import styles from "./Top.module.css";

interface Props {
  title: string;
  onMenu: () => void;
  onPalette: () => void;
  onConsoles: () => void;
  onHelp: () => void;
}

const THEMES: readonly (readonly [Theme, string, IconName])[] = [
  ["auto", "As the system", "auto"],
  ["light", "Light", "sun"],
  ["dark", "Dark", "moon"],
];

export function Top({ title, onMenu, onPalette, onConsoles, onHelp }: Props) {
  const wish = useStore(theme);
  return (
    <header className={styles.top}>
      <Button className={styles.menu ?? ""} look="quiet" icon="menu" aria-label="Navigation" onClick={onMenu} />
      <a className={styles.name} href="#/"><img src={LOGO} alt="" width="22" height="22" />Keyport</a>
      <span className={styles.title}>{title}</span>
      <Switch onManage={onConsoles} />
      <button type="button" className={styles.find} aria-label="Go to, or do" aria-keyshortcuts="Control+K" onClick={onPalette}>
        <Icon name="search" />
        <span className={styles.words}>Go to, or do</span>
        <kbd>Ctrl K</kbd>
      </button>
      <Menu
        trigger={<Button look="quiet" icon={THEMES.find(([each]) => each === wish)?.[2] ?? "auto"} aria-label="Colours" />}
        items={THEMES.map(([each, label, icon]) => ({ label, icon, checked: each === wish, run: () => choose(each) }))}
      />
      <Button look="quiet" aria-label="Help" onClick={onHelp}>?</Button>
      <User />
    </header>
  );
}

const LOGO = new URL("../icon.svg", import.meta.url).href;

function User() {
  const who = useStore(api.session);
  if (!who?.authentication) return null;
  if (who.user === undefined) return <Button onClick={() => void api.login(true)}>Log in</Button>;
  const out = () => void api.end().catch(() => toast({ text: "The server does not answer", look: "failed" }));
  return <Menu trigger={<Button look="quiet" icon="users">{who.user}</Button>} items={[{ label: "Log out", icon: "out", run: out }]} />;
}
