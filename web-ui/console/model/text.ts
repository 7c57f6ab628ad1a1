// Numbers and times, as people read them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count: number): string {
  let [value, unit] = [count, 0];
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value).toString() : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}

/** With narrow spaces between thousands, as digits alone are hard to count. */
export function count(value: number | string | bigint): string {
  return BigInt(value).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A stretch of time, with nothing left out: `1 h 4 min 20 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3_600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const shown = parts.filter(([value], at) => value > 0 || (at === 3 && whole === 0));
  return shown.map(([value, unit]) => `${value} ${unit}`).join(" ");
}

export function hexId(id: string): string {
  return BigInt(id).toString(16);
}
