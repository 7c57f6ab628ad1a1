// Whether a text is TOML. Loaded with its library when somebody writes some.
import { TomlError, parse } from "smol-toml";

/** What is wrong with it, and where. */
export function complaintOf(text: string): string | undefined {
  try {
    parse(text, { integersAsBigInt: true });
    return undefined;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [said = ""] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
    return `line ${error.line}, column ${error.column}: ${said}`;
  }
}
