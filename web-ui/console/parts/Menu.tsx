import * as Radix from "@radix-ui/react-dropdown-menu";
import type { ReactElement } from "react";

import { Icon, type IconName } from "./Icon";
import styles from "./Menu.module.css";

export interface Item {
  label: string;
  icon?: IconName;
  danger?: boolean;
  disabled?: boolean;
  checked?: boolean;
  run: () => void;
}

export function Menu({ trigger, items }: { trigger: ReactElement; items: readonly Item[] }) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className={styles.menu} align="end" sideOffset={4} collisionPadding={8}>
          {items.map((item) => (
            <Radix.Item
              key={item.label}
              className={`${styles.item} ${item.danger ? styles.danger : ""}`}
              disabled={item.disabled ?? false}
              onSelect={item.run}
            >
              {item.icon && <Icon name={item.icon} />}
              <span>{item.label}</span>
              {item.checked && <span className={styles.mark} aria-label="chosen">•</span>}
            </Radix.Item>
          ))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
