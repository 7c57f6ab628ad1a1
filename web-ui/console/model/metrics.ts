// What a member counts, in the text that Prometheus reads.

export type Type = "counter" | "gauge" | "histogram" | "summary" | "untyped";

export interface Series {
  /** Name and labels, as they are written: the same in every reading. For a histogram it is that of its count. */
  id: string;
  labels: readonly (readonly [name: string, value: string])[];
  /** Of a histogram: the upper edges of its buckets, and what counts what is below each. */
  buckets: readonly { le: number; id: string }[];
}

export interface Family {
  name: string;
  help: string;
  type: Type;
  series: Series[];
}

export interface Reading {
  families: Family[];
  /** By name and labels. */
  values: ReadonlyMap<string, number>;
  /** There are more series than are kept. */
  isCut: boolean;
}

export const MOST_SERIES = 20_000;
const TYPES: readonly string[] = ["counter", "gauge", "histogram", "summary"];

export function parse(text: string): Reading {
  const families = new Map<string, Family>();
  const values = new Map<string, number>();
  const histograms = new Map<string, { series: Series; buckets: { le: number; id: string }[] }>();
  const familyOf = (name: string): Family => {
    const known = families.get(name) ?? { name, help: "", type: "untyped", series: [] };
    families.set(name, known);
    return known;
  };
  let isCut = false;
  for (const line of text.split("\n")) {
    const [, what, named = "", rest = ""] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (what === "HELP") familyOf(named).help = rest.replace(/\\(\\|n)/g, (_, char: string) => (char === "n" ? " " : "\\"));
    if (what === "TYPE") familyOf(named).type = TYPES.includes(rest) ? (rest as Type) : "untyped";
    const sample = sampleOf(line);
    if (!sample) continue;
    if (values.size >= MOST_SERIES) {
      isCut = true;
      break;
    }
    const { name, labels, id, value } = sample;
    values.set(id, value);
    const base = name.replace(/_(bucket|sum|count)$/, "");
    const family = families.get(base);
    if (base === name || family?.type !== "histogram") {
      // A summary tells its sum and its count beside it.
      const own = family?.type === "summary" ? family : familyOf(name);
      own.series.push({ id, labels, buckets: [] });
      continue;
    }
    const own = labels.filter(([label]) => label !== "le");
    const key = `${base}${JSON.stringify(own)}`;
    const known = histograms.get(key) ?? (() => {
      const buckets: { le: number; id: string }[] = [];
      const made = { series: { id: "", labels: own, buckets }, buckets };
      histograms.set(key, made);
      family.series.push(made.series);
      return made;
    })();
    const le = labels.find(([label]) => label === "le")?.[1];
    if (name.endsWith("_bucket") && le !== undefined) known.buckets.push({ le: numberOf(le), id });
    else if (name.endsWith("_count")) known.series.id = id;
  }
  return { families: [...families.values()].filter(({ series }) => series.length > 0), values, isCut };
}

function sampleOf(line: string): { name: string; labels: [string, string][]; id: string; value: number } | undefined {
  const [, name, inner = "", value = ""] = /^([A-Za-z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)/.exec(line) ?? [];
  if (name === undefined || !/^[+-]?(Inf|NaN|\d.*|\.\d.*)$/.test(value)) return undefined;
  const labels = [...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = "", text = ""]): [string, string] => [label, text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char))]);
  return { name, labels, id: inner === "" ? name : `${name}{${inner}}`, value: numberOf(value) };
}

function numberOf(text: string): number {
  return text === "+Inf" || text === "Inf" ? Number.POSITIVE_INFINITY : text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
}

/** Whether all words are in its name or in what is said of it. */
export function matches({ name, help }: Family, words: string): boolean {
  const text = `${name} ${help}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
