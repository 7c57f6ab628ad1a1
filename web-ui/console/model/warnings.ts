// Lines of a log that warn of something.

export interface Warning {
  event_id: string;
  level: "warn" | "error" | "fatal";
  /** RFC 3339. */
  ts: string;
  caller: string;
  msg: string;
  [field: string]: unknown;
}

/** As many as the page keeps: more than a server does, which forgets them as it restarts. */
export const MOST_WARNINGS = 500;

/** The same with lines that came, in the order of the log; those that are there already are left out, and of too many the oldest. */
export function added(before: readonly Warning[], lines: readonly Warning[]): readonly Warning[] {
  const known = new Set(before.map(({ event_id: id }) => id));
  const fresh = lines.filter(({ event_id: id }) => !known.has(id));
  return fresh.length === 0 ? before : [...before, ...fresh].slice(-MOST_WARNINGS);
}

const OWN = new Set(["event_id", "level", "ts", "caller", "msg"]);

/** What else a line says, as text. */
export function fieldsOf(line: Warning): [string, string][] {
  const write = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.entries(line).filter(([name]) => !OWN.has(name)).map(([name, value]) => [name, write(value)]);
}

/** Whether somebody who looks for it finds it: in its words, in what else it says, and in where it is from. */
export function matches(line: Warning, text: string, isSevere: boolean): boolean {
  if (isSevere && line.level === "warn") return false;
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const said = [line.msg, line.caller, ...fieldsOf(line).flat()].join(" ").toLowerCase();
  return words.every((word) => said.includes(word));
}
