import * as Radix from "@radix-ui/react-dropdown-menu";
import type { ReactElement } from "react";

import { Icon, type IconName } from "./Icon";
import styles from "./Menu.module.css";

export interface Item {
  /** What it is known by, where labels may be the same, or others come before it while the menu is open. */
  id?: string;
  label: string;
  /** Below it, smaller. */
  detail?: string;
  icon?: IconName;
  danger?: boolean;
  disabled?: boolean;
  checked?: boolean;
  /** A line stands before it. */
  isApart?: boolean;
  /** Where it leads, as a link: a new tab is the browser's to give. */
  href?: string;
  run?: () => void;
}

/** What the items below it are. */
interface Head {
  head: string;
}

interface Props {
  trigger: ReactElement;
  items: readonly (Item | Head)[];
  onOpen?: (isOpen: boolean) => void;
}

export function Menu({ trigger, items, onOpen }: Props) {
  return (
    <Radix.Root modal={false} {...(onOpen && { onOpenChange: onOpen })}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content tabIndex={0} className={styles.menu} align="end" sideOffset={4} collisionPadding={8}>
          {items.map((item) => ("head" in item ? <Radix.Label key={item.head} className={styles.head}>{item.head}</Radix.Label> : <One key={item.id ?? item.label} item={item} />))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function One({ item }: { item: Item }) {
  const { label, detail, icon, danger = false, disabled = false, checked = false, isApart = false, href, run } = item;
  const what = (
    <>
      {icon && <Icon name={icon} />}
      <span>{label}{detail !== undefined && <small>{detail}</small>}</span>
      {checked && <span className={styles.mark} aria-label="chosen">•</span>}
    </>
  );
  return (
    <>
      {isApart && <Radix.Separator className={styles.line} />}
      <Radix.Item asChild={href !== undefined} className={`${styles.item} ${danger ? styles.danger : ""}`} disabled={disabled} onSelect={() => run?.()}>
        {href === undefined ? what : <a href={href}>{what}</a>}
      </Radix.Item>
    </>
  );
}
