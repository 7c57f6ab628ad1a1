// Languages of values that are no JSON and no YAML: in a chunk of its own, which is loaded when somebody edits one.
import { StreamLanguage } from "@codemirror/language";
import { nginx } from "@codemirror/legacy-modes/mode/nginx";
import { properties } from "@codemirror/legacy-modes/mode/properties";
import { shell } from "@codemirror/legacy-modes/mode/shell";
import { standardSQL } from "@codemirror/legacy-modes/mode/sql";
import { toml } from "@codemirror/legacy-modes/mode/toml";
import { xml } from "@codemirror/legacy-modes/mode/xml";
import type { Extension } from "@codemirror/state";

const LANGUAGES = { nginx, properties, shell, sql: standardSQL, toml, xml };

export type Rare = keyof typeof LANGUAGES;

export function rare(mode: Rare): Extension {
  return StreamLanguage.define<unknown>(LANGUAGES[mode]);
}
