import * as Radix from "@radix-ui/react-dialog";
import type { ReactNode } from "react";

import { Button } from "./Button";
import styles from "./Dialog.module.css";

interface Props {
  title: string;
  about?: ReactNode;
  wide?: boolean;
  /** Called when it is to be closed; a dialog without cannot be put away. */
  onClose?: (() => void) | undefined;
  children: ReactNode;
}

/** A dialog over the page. (Radix' own overlay would put a style sheet into the page, which the policy does not let in.) */
export function Dialog({ title, about, wide = false, onClose, children }: Props) {
  return (
    <Radix.Root open onOpenChange={(open) => { if (!open) onClose?.(); }}>
      <Radix.Portal>
        <div className={styles.shade} />
        <Radix.Content
          className={`${styles.dialog} ${wide ? styles.wide : ""}`}
          {...(about === undefined && { "aria-describedby": undefined })}
          onPointerDownOutside={(event) => event.preventDefault()}
          onOpenAutoFocus={focusField}
        >
          <header className={styles.head}>
            <Radix.Title className={styles.title}>{title}</Radix.Title>
            {onClose && (
              <Radix.Close asChild>
                <Button look="quiet" icon="close" aria-label="Close" />
              </Radix.Close>
            )}
          </header>
          {about !== undefined && <Radix.Description asChild><div className={styles.about}>{about}</div></Radix.Description>}
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** What is to be filled in comes before the way out. */
function focusField(event: Event): void {
  const field = event.target instanceof HTMLElement ? event.target.querySelector<HTMLElement>("input, select, textarea") : undefined;
  if (!field) return;
  event.preventDefault();
  field.focus();
}

/** Where a dialog's buttons stand. */
export function Actions({ children }: { children: ReactNode }) {
  return <div className={styles.actions}>{children}</div>;
}
