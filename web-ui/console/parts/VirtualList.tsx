// A long list, of which only what is seen is in the page.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type MouseEvent, type ReactNode, useEffect, useRef } from "react";

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
  marks?: Marking | undefined;
}

/** Rows may be marked, to do something with all of them: with Space, with Shift and a step or a click, all with Ctrl A. */
export interface Marking {
  isMarked: (at: number) => boolean;
  some: boolean;
  toggle: (at: number) => void;
  /** All from one row to another. */
  extend: (from: number, to: number) => void;
  none: () => void;
}

export function VirtualList({ label, count, rowHeight, active, onActive, onOpen, onEnd, idOf, row, marks }: Props) {
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
    if (event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "a" || !marks) return;
      marks.extend(0, count - 1);
      event.preventDefault();
      return;
    }
    const steps: Record<string, number> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: 20, PageUp: -20, Home: -count, End: count };
    const step = steps[event.key];
    if (step !== undefined) {
      if (event.shiftKey) marks?.extend(Math.max(0, active), Math.max(0, Math.min(count - 1, active + step)));
      move(active + step);
    } else if (event.key === " " && marks && active >= 0) marks.toggle(active);
    else if (event.key === "Escape" && marks?.some) marks.none();
    else if (event.key === "Enter" && active >= 0) onOpen(active);
    else return;
    event.preventDefault();
  };

  const clicked = (event: MouseEvent, at: number): void => {
    onActive(at);
    if (marks && event.shiftKey) marks.extend(active < 0 ? at : active, at);
    else if (marks && (event.ctrlKey || event.metaKey || isMark(event.target))) marks.toggle(at);
    else onOpen(at);
  };

  return (
    <div
      ref={scroller}
      className={styles.scroller}
      role="listbox"
      aria-multiselectable={marks ? true : undefined}
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
            aria-selected={marks?.some ? marks.isMarked(item.index) : item.index === active}
            aria-posinset={item.index + 1}
            aria-setsize={count}
            className={`${styles.row} ${item.index === active ? styles.active : ""} ${marks?.some && marks.isMarked(item.index) ? styles.marked : ""}`}
            style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}
            onMouseDown={(event) => { if (event.shiftKey) event.preventDefault(); }}
            onClick={(event) => clicked(event, item.index)}
          >
            {row(item.index, item.index === active)}
          </div>
        ))}
      </div>
    </div>
  );
}

/** The box of a row. It is no element of its own for the keyboard, which has Space. */
export function Mark({ isMarked }: { isMarked: boolean }) {
  return <span data-mark className={`${styles.mark} ${isMarked ? styles.ticked : ""}`} title="Select" aria-hidden="true" />;
}

function isMark(target: EventTarget): boolean {
  return target instanceof Element && target.closest("[data-mark]") !== null;
}
