// Values over time, as small as a word; beside it stands the last of them as text.
import styles from "./Sparkline.module.css";

const [WIDTH, HEIGHT] = [96, 22];

export function Sparkline({ values }: { values: readonly (number | null)[] }) {
  const there = values.filter((value) => value !== null);
  const [least, most] = [Math.min(0, ...there), Math.max(0, ...there)];
  const y = (value: number): number => HEIGHT - 2 - ((value - least) / (most - least || 1)) * (HEIGHT - 4);
  const x = (at: number): number => (at / Math.max(1, values.length - 1)) * WIDTH;
  const path = values.map((value, at) => (value === null ? "" : `${(values[at - 1] ?? null) === null ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`)).join("");
  return <svg className={styles.line} width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true"><path d={path} /></svg>;
}
