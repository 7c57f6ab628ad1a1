// A value as text in lines, so that a difference of two is small: JSON is laid out, unless it is wanted as it is written.
import { textOf } from "./keys";
import { hexLines, kindOf, laidOut } from "./kind";

export function comparable(value: Uint8Array | undefined, asWritten = false): string {
  if (value === undefined) return "";
  const text = textOf(value);
  if (text === undefined) return hexLines(value).join("\n");
  return !asWritten && kindOf(value) === "json" ? laidOut(text) : text;
}
