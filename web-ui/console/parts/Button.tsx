import type { ButtonHTMLAttributes, ReactNode } from "react";

import styles from "./Button.module.css";
import { Icon, type IconName } from "./Icon";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: "plain" | "main" | "danger" | "quiet";
  icon?: IconName;
  children?: ReactNode;
}

export function Button({ look = "plain", icon, children, className = "", type = "button", ...rest }: Props) {
  return (
    <button type={type} className={`${styles.button} ${styles[look]} ${children ? "" : styles.square} ${className}`} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}
