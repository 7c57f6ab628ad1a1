// A file of YAML as the entries that it has. Loaded with its library when there is such a file.
import { isAlias, isScalar, parseAllDocuments, stringify, visit } from "yaml";

import { base64OfBytes } from "./keys";

/**
 * What its documents say, each with where it stands: entries in a list or below `keys`, one entry alone, or keys with their values.
 * All that is not quoted is text as well, as it is written: 1.10, yes and 007 are no numbers and no truth values.
 */
export function entriesOf(text: string): [at: string, raw: unknown][] {
  const documents = parseAllDocuments(text, { schema: "failsafe", uniqueKeys: true, merge: false });
  if ("empty" in documents) return [];
  return documents.flatMap((document, number) => {
    const [wrong] = [...document.errors, ...document.warnings];
    // It says where, and shows the line.
    if (wrong) throw new Error(wrong.message.split("\n")[0] ?? "The YAML is not whole");
    visit(document, { Pair: (_, { key }) => { if (!isScalar(key) && !isAlias(key)) throw new Error("A name in the YAML is a list or has names itself: keys are text"); } });
    const where = (at: number): string => (documents.length > 1 ? `Key ${at + 1} of document ${number + 1}` : `Key ${at + 1}`);
    return listOf(document.toJS({ maxAliasCount: 100 })).map((raw, at): [string, unknown] => {
      const { key, value, ...rest } = (raw ?? {}) as Record<string, unknown>;
      if (value instanceof Uint8Array) return [where(at), { key, ...rest, value_b64: base64OfBytes(value) }];
      if (typeof value === "object" && value !== null) throw new Error(`${where(at)}${typeof key === "string" ? `, ${key},` : ""} has a value that is no text: write it as one, below | or in quotes`);
      return [where(at), raw];
    });
  });
}

/** Keys as YAML that reads the same to those who take numbers for numbers. */
export function written(keys: readonly object[]): string {
  return stringify({ keys }, { lineWidth: 0 });
}

function listOf(told: unknown): unknown[] {
  if (told === null || told === undefined || told === "") return [];
  if (Array.isArray(told)) return told as unknown[];
  if (typeof told !== "object") throw new Error("The YAML is a text, and no list of keys");
  const { keys, key, key_b64: base64 } = told as Record<string, unknown>;
  if (Array.isArray(keys)) return keys as unknown[];
  if (key !== undefined || base64 !== undefined) return [told];
  return Object.entries(told).map(([name, value]) => ({ key: name, value: value as unknown }));
}
