// In which syntax a value is edited: by what it is, and by how its key ends.
import type { Key } from "../../../model/keys";
import type { Kind } from "../../../model/kind";
import type { Mode as Syntax } from "../../../parts/editor";

export type Mode = Syntax | "hex";

export const MODES: readonly (readonly [Mode, string])[] = [
  ["text", "Text"],
  ["json", "JSON"],
  ["yaml", "YAML"],
  ["xml", "XML"],
  ["toml", "TOML"],
  ["properties", "Properties, INI"],
  ["shell", "Shell"],
  ["sql", "SQL"],
  ["nginx", "nginx"],
  ["hex", "Hex"],
];

const ENDINGS: Record<string, Mode> = {
  json: "json",
  yaml: "yaml", yml: "yaml",
  xml: "xml", xsd: "xml", svg: "xml",
  toml: "toml",
  properties: "properties", ini: "properties", cfg: "properties", env: "properties",
  sh: "shell", bash: "shell",
  sql: "sql",
  conf: "nginx",
};

/** That of a key; nothing where its end says none. */
export function modeOf(key: Key): Mode | undefined {
  const ending = /\.(\w+)$/.exec(key)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : undefined;
}

/** What is no text is hex, and JSON is what it is, whatever its key is called. */
export function modeFor(kind: Kind, key: Key): Mode {
  if (kind === "binary" || kind === "kubernetes") return "hex";
  if (kind === "json") return "json";
  return modeOf(key) ?? (kind === "yaml" ? "yaml" : "text");
}
