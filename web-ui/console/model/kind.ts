// What a value is, by a look at it.
import { textOf } from "./keys";
import { isKubernetes } from "./kubernetes";

export type Kind = "empty" | "json" | "yaml" | "text" | "kubernetes" | "binary";

/** Larger ones are not laid out anew unless somebody asks. */
export const MOST_BYTES_LAID_OUT = 256 * 1024;

export function kindOf(bytes: Uint8Array): Kind {
  if (bytes.length === 0) return "empty";
  if (isKubernetes(bytes)) return "kubernetes";
  const text = textOf(bytes);
  // Control characters other than white space are of no text.
  // eslint-disable-next-line no-control-regex
  if (text === undefined || /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(text)) return "binary";
  if (bytes.length > MOST_BYTES_LAID_OUT) return "text";
  if (isJson(text)) return "json";
  return isYaml(text) ? "yaml" : "text";
}

function isJson(text: string): boolean {
  const first = text.trimStart()[0];
  if (first !== "{" && first !== "[") return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Several lines, each of which could stand in a document of YAML, with a key in most. */
function isYaml(text: string): boolean {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.trimStart().startsWith("#"));
  const keys = lines.filter((line) => /^\s*(- )?["']?[\w./-]+["']?:( |$)/.test(line));
  const fits = lines.every((line) => /^(\s*(- )?["']?[\w./-]+["']?:( |$)|\s*- |---|\.\.\.|\s+\S)/.test(line));
  return lines.length > 1 && fits && keys.length * 2 >= lines.length;
}

/** JSON with line breaks. Numbers stay as they are written: those of 64 bits are more than JavaScript knows. */
export function laidOut(json: string): string {
  let [out, depth, inText] = ["", 0, false];
  const line = (): string => `\n${"  ".repeat(depth)}`;
  for (let at = 0; at < json.length; at += 1) {
    const char = json[at] ?? "";
    if (inText) {
      out += char;
      if (char === "\\") out += json[(at += 1)] ?? "";
      else if (char === '"') inText = false;
    } else if (char === '"') {
      out += char;
      inText = true;
    } else if (char === "{" || char === "[") {
      const end = /^\s*[}\]]/.exec(json.slice(at + 1, at + 4096));
      if (end) {
        out += char + (char === "{" ? "}" : "]");
        at += end[0].length;
      } else {
        depth += 1;
        out += char + line();
      }
    } else if (char === "}" || char === "]") {
      depth -= 1;
      out += line() + char;
    } else if (char === ",") out += char + line();
    else if (char === ":") out += ": ";
    else if (!/\s/.test(char)) out += char;
  }
  return out;
}

/** Sixteen bytes a line, with where they are and what they would be as text. */
export function hexLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const digits = part.map((byte) => byte.toString(16).padStart(2, "0"));
    const left = digits.slice(0, 8).join(" ").padEnd(23);
    const right = digits.slice(8).join(" ").padEnd(23);
    const text = part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${left}  ${right}  ${text}`);
  }
  return lines;
}
