// What is typed into an editor, and the bytes that it stands for.
import { laidOut } from "../../model/kind";
import { textOf } from "../../model/keys";
import type { Mode } from "./syntax/modes";

export function textFor(bytes: Uint8Array, mode: Mode): string {
  if (mode !== "hex") return textOf(bytes) ?? "";
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    lines.push([...bytes.subarray(at, at + 16)].map((byte) => byte.toString(16).padStart(2, "0")).join(" "));
  }
  return lines.join("\n");
}

/** The bytes, or why the text stands for none. */
export function bytesFor(text: string, mode: Mode): Uint8Array | string {
  if (mode !== "hex") return new TextEncoder().encode(text);
  const digits = text.replace(/\s+/g, "");
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) return "Hex is pairs of digits: 0 to 9, a to f";
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** What is wrong with the text in its mode, which does not keep it from being saved. */
export function complaint(text: string, mode: Mode): string | undefined {
  if (mode !== "json" || text.trim() === "") return undefined;
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return `Not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}

export function formatted(text: string, mode: Mode): string {
  return mode === "json" && complaint(text, mode) === undefined ? laidOut(text) : text;
}
