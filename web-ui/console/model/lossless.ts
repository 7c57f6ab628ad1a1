// JSON as it is written. As numbers of the language, those of more than 53 bits would lose their last digits.

export type Json =
  | { kind: "text"; text: string }
  | { kind: "list"; items: Json[] }
  | { kind: "object"; fields: [name: string, value: Json][] };

/** Reads a document. Throws what is wrong with it. */
export function read(text: string): Json {
  JSON.parse(text);
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let at = 0;
  const value = (): Json => {
    const token = tokens[at++] ?? "null";
    if (token === "[") {
      const items: Json[] = [];
      while (tokens[at] !== "]") {
        if (tokens[at] === ",") at += 1;
        items.push(value());
      }
      at += 1;
      return { kind: "list", items };
    }
    if (token !== "{") return { kind: "text", text: token };
    const fields: [string, Json][] = [];
    while (tokens[at] !== "}") {
      if (tokens[at] === ",") at += 1;
      const name = JSON.parse(tokens[at] ?? '""') as string;
      at += 2;
      fields.push([name, value()]);
    }
    at += 1;
    return { kind: "object", fields };
  };
  return value();
}

/** In lines. */
export function pretty(json: Json, indent = ""): string {
  const inner = `${indent}  `;
  if (json.kind === "text") return json.text;
  if (json.kind === "list") {
    return json.items.length === 0 ? "[]" : `[\n${json.items.map((item) => inner + pretty(item, inner)).join(",\n")}\n${indent}]`;
  }
  const fields = json.fields.map(([name, field]) => `${inner}${JSON.stringify(name)}: ${pretty(field, inner)}`);
  return fields.length === 0 ? "{}" : `{\n${fields.join(",\n")}\n${indent}}`;
}

/** With the value at a place put in; what is not there yet is added to its object. */
export function put(json: Json, [name, ...rest]: readonly (string | number)[], value: Json): Json {
  if (name === undefined) return value;
  if (json.kind === "list") return { ...json, items: json.items.map((item, at) => (at === name ? put(item, rest, value) : item)) };
  if (json.kind !== "object") return json;
  const isThere = json.fields.some(([field]) => field === name);
  if (!isThere) return { ...json, fields: [...json.fields, [String(name), put({ kind: "object", fields: [] }, rest, value)]] };
  return { ...json, fields: json.fields.map(([field, old]) => [field, field === name ? put(old, rest, value) : old]) };
}
