// A long list, of which only what is seen is in the page.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useEffect, useRef } from "react";

import styles from "./VirtualList.module.css";

interface Props {
  label: string;
  count: number;
  rowHeight: number;
  /** The row that the keyboard is at. */
  active: number;
  onActive: (at: number) => void;
  onOpen: (at: number) => void;
  /** The last rows are near: there may be more to load. */
  onEnd?: (() => void) | undefined;
  idOf: (at: number) => string;
  row: (at: number, isActive: boolean) => ReactNode;
}

export function VirtualList({ label, count, rowHeight, active, onActive, onOpen, onEnd, idOf, row }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- it is memoised by nobody, and need not be
  const list = useVirtualizer({ count, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 });
  const items = list.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;

  useEffect(() => {
    if (last >= count - 1 - items.length) onEnd?.();
  }, [last, count, items.length, onEnd]);

  const move = (to: number): void => {
    const at = Math.max(0, Math.min(count - 1, to));
    onActive(at);
    list.scrollToIndex(at);
  };
  const pressed = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps: Record<string, number> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: 20, PageUp: -20, Home: -count, End: count };
    const step = steps[event.key];
    if (step !== undefined) move(active + step);
    else if (event.key === "Enter" && active >= 0) onOpen(active);
    else return;
    event.preventDefault();
  };

  return (
    <div
      ref={scroller}
      className={styles.scroller}
      role="listbox"
      aria-label={label}
      tabIndex={0}
      aria-activedescendant={items.some((item) => item.index === active) ? idOf(active) : undefined}
      onKeyDown={pressed}
    >
      <div className={styles.all} style={{ height: list.getTotalSize() }}>
        {items.map((item) => (
          // The list has the keyboard; a row is only where one clicks.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events
          <div
            key={item.key}
            id={idOf(item.index)}
            role="option"
            tabIndex={-1}
            aria-selected={item.index === active}
            aria-posinset={item.index + 1}
            aria-setsize={count}
            className={`${styles.row} ${item.index === active ? styles.active : ""}`}
            style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}
            onClick={() => { onActive(item.index); onOpen(item.index); }}
          >
            {row(item.index, item.index === active)}
          </div>
        ))}
      </div>
    </div>
  );
}
