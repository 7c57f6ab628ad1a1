import { settings } from "../api/settings";
import { useStore } from "../api/store";
import { Icon } from "../parts/Icon";
import { link } from "../parts/route";
import { screens } from "../screens";
import styles from "./Nav.module.css";

export function Nav({ at, isOpen, onClose }: { at: string; isOpen: boolean; onClose: () => void }) {
  const known = useStore(settings);
  return (
    <nav className={`${styles.nav} ${isOpen ? styles.open : ""}`} aria-label="Screens">
      {screens.map(({ id, title, icon }) => (
        <a key={id} className={styles.item} href={link(id)} aria-current={id === at ? "page" : undefined} onClick={onClose}>
          <Icon name={icon} />
          {title}
        </a>
      ))}
      <div className={styles.foot}>
        <p>
          {known && `Keyport ${known.version}`}
          <br />
          <a href="notices.txt">Notices</a>
        </p>
      </div>
    </nav>
  );
}
