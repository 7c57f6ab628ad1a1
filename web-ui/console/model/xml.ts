// Whether a text is XML. Loaded with its library when somebody writes some: the browser's own parser puts a style of its own into what
// it says, which the policy does not let in.
import { XmlError, parseXml } from "@rgrove/parse-xml";

/** What is wrong with it, and where. */
export function complaintOf(text: string): string | undefined {
  try {
    parseXml(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    const [said = ""] = error.message.split("\n");
    return `line ${error.line}, column ${error.column}: ${said.replace(/ \(line \d+, column \d+\)$/, "")}`;
  }
}
