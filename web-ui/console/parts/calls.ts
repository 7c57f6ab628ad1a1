// What the editor can do with calls: colours, completion, running them. In a chunk of its own.
import { type CompletionContext, type CompletionResult, acceptCompletion, autocompletion } from "@codemirror/autocomplete";
import { StreamLanguage } from "@codemirror/language";
import { type Extension, Prec } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";

export interface Suggested {
  /** Where in the line it begins. */
  from: number;
  options: readonly { label: string; detail?: string | undefined; apply?: string }[];
}

export interface Wishes {
  onRun: () => void;
  onRunAll: () => void;
  /** The line that the cursor is on, from 1 on. */
  onCursor: (line: number) => void;
  /** What may come next: `lines` are those down to the cursor. */
  suggest: (lines: readonly string[], signal: AbortSignal) => Promise<Suggested | undefined>;
}

/** Lines above the cursor that are looked at: what is further up says nothing of it. */
const MOST_LINES = 200;

const language = StreamLanguage.define<{ inBody: boolean }>({
  name: "calls",
  startState: () => ({ inBody: false }),
  blankLine: (state) => { state.inBody = false; },
  token: (stream, state) => {
    if (stream.sol() && state.inBody) {
      stream.skipToEnd();
      return "string";
    }
    if (stream.sol() && stream.match(/\s*(#|\/\/).*/)) return "comment";
    if (stream.sol() && stream.match(/\s*(POST|PUT|PATCH)(?=\s|$)/)) {
      state.inBody = true;
      return "keyword";
    }
    if (stream.sol() && stream.match(/\s*(GET|HEAD|DELETE|OPTIONS)(?=\s|$)/)) return "keyword";
    if (stream.sol() && stream.match(/\s*[a-z]+/)) return "propertyName";
    if (stream.eatSpace()) return null;
    if (stream.match(/--?[a-z][\w-]*/)) return "number";
    if (stream.match(/\$?'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?/)) return "string";
    if (!stream.match(/[^\s'"]+/)) stream.next();
    return null;
  },
});

const look = EditorView.theme({
  ".cm-tooltip": { border: "1px solid var(--line-strong)", borderRadius: "6px", backgroundColor: "var(--surface)", color: "var(--text)", boxShadow: "var(--lifted)", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { maxWidth: "min(560px, 86vw)", fontFamily: "var(--mono)", fontSize: "12.5px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 8px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--chosen)", color: "var(--text)" },
  ".cm-completionDetail": { color: "var(--text-soft)", fontFamily: "var(--sans)", fontStyle: "normal" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
});

export function calls({ onRun, onRunAll, onCursor, suggest }: Wishes): Extension {
  const source = async (context: CompletionContext): Promise<CompletionResult | null> => {
    const { doc } = context.state;
    const line = doc.lineAt(context.pos);
    // An empty line waits for nothing.
    if (!context.explicit && doc.sliceString(line.from, context.pos).trim() === "") return null;
    const first = doc.line(Math.max(1, line.number - MOST_LINES));
    const gone = new AbortController();
    context.addEventListener("abort", () => gone.abort());
    const lines = doc.sliceString(first.from, context.pos).split("\n");
    const found = await suggest(lines, gone.signal).catch(() => undefined);
    if (!found || context.aborted) return null;
    return { from: line.from + found.from, options: found.options.map(({ label, detail, apply }) => ({ label, ...(detail !== undefined && { detail }), ...(apply !== undefined && { apply }) })) };
  };
  const runs = [
    { key: "Mod-Enter", run: () => { onRun(); return true; } },
    { key: "Mod-Shift-Enter", run: () => { onRunAll(); return true; } },
    { key: "Tab", run: acceptCompletion },
  ];
  return [
    Prec.highest(keymap.of(runs)),
    autocompletion({ override: [source], icons: false }),
    language,
    look,
    EditorView.updateListener.of((update) => onCursor(update.state.doc.lineAt(update.state.selection.main.head).number)),
  ];
}
