import { useEffect, useEffectEvent, useRef } from "react";

import type { Chart, Series } from "./chart";
import styles from "./LineChart.module.css";

interface Props {
  title: string;
  /** In seconds since 1970. */
  times: readonly number[];
  series: readonly Series[];
  write: (value: number) => string;
  /** They are bytes. */
  isSize?: boolean;
}

/** Values over time. The last of them stand above it as text, for who cannot see the lines. */
export function LineChart({ title, times, series, write, isSize = false }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart>(undefined);
  const first = useEffectEvent(() => ({ times, series, write, isSize }));

  useEffect(() => {
    let gone = false;
    const sizes = new ResizeObserver(([entry]) => { if (entry) chart.current?.resize(entry.contentRect.width); });
    void import("./chart").then(({ draw }) => {
      const { current } = host;
      if (gone || !current) return;
      const now = first();
      chart.current = draw(current, now.series, now.write, now.isSize);
      chart.current.set(now.times, now.series);
      sizes.observe(current);
    });
    return () => {
      gone = true;
      sizes.disconnect();
      chart.current?.destroy();
      chart.current = undefined;
    };
  }, []);
  useEffect(() => chart.current?.set(times, series), [times, series]);

  return (
    <figure className={styles.figure}>
      <figcaption className={styles.head}>
        <span className={styles.title}>{title}</span>
        {series.map(({ label, colour, values }) => {
          const last = values.findLast((value) => value !== null) ?? undefined;
          return (
            <span key={label} className={styles.last}>
              <svg width="10" height="3" aria-hidden="true"><rect width="10" height="3" rx="1.5" fill={`var(${colour})`} /></svg>
              {label} <strong>{last === undefined ? "none" : write(last)}</strong>
            </span>
          );
        })}
      </figcaption>
      <div ref={host} className={styles.chart} aria-hidden="true" />
    </figure>
  );
}
