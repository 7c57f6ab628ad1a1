// The editor: CodeMirror, in a chunk of its own. It lives in a shadow root, where its styles are sheets that a script adopts; in
// the page itself they would be a `<style>`, which the policy does not let in.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, foldGutter, foldKeymap, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

import type { Rare } from "./languages";

export type Mode = "text" | "json" | "yaml" | Rare;

export interface Editor {
  setMode: (mode: Mode) => void;
  setText: (text: string) => void;
  focus: () => void;
  destroy: () => void;
}

interface Wishes {
  host: HTMLElement;
  text: string;
  mode: Mode;
  readOnly: boolean;
  label: string;
  /** What else it can do. */
  extras?: Extension;
  onChange: (text: string) => void;
  onSave: () => void;
}

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.tagName, tags.attributeName, tags.definition(tags.variableName), tags.heading], color: "var(--code-name)" },
  { tag: [tags.string, tags.content], color: "var(--code-text)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.atom, tags.standard(tags.variableName)], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--text-soft)", fontStyle: "italic" },
]);

const look = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--field)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-gutters": { backgroundColor: "var(--field)", color: "var(--text-soft)", border: "none" },
  ".cm-content": { caretColor: "var(--text)", paddingTop: "8px", paddingBottom: "8px" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--line-active)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selection) !important" },
  ".cm-panels": { backgroundColor: "var(--surface)", color: "var(--text)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--hover)", color: "var(--text-soft)", border: "none" },
});

/** At once, where it is there; what is loaded first comes when it has. */
function language(mode: Mode): Extension | Promise<Extension> {
  if (mode === "json") return json();
  if (mode === "yaml") return yaml();
  return mode === "text" ? [] : import("./languages").then(({ rare }) => rare(mode));
}

export function open({ host, text, mode, readOnly, label, extras = [], onChange, onSave }: Wishes): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const chosen = new Compartment();
  const save = { key: "Mod-s", preventDefault: true, run: () => { onSave(); return true; } };
  const state = EditorState.create({
    doc: text,
    extensions: [
      extras,
      lineNumbers(), foldGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(), highlightActiveLine(),
      highlightSelectionMatches(), search({ top: true }), syntaxHighlighting(colours), look, EditorView.lineWrapping,
      keymap.of([save, indentWithTab, ...defaultKeymap, ...historyKeymap, ...searchKeymap, ...foldKeymap]),
      chosen.of([]),
      EditorState.readOnly.of(readOnly),
      EditorView.contentAttributes.of({ "aria-label": label }),
      EditorView.updateListener.of((update) => { if (update.docChanged) onChange(update.state.doc.toString()); }),
    ],
  });
  const view = new EditorView({ state, parent: root, root });
  let wanted: Mode | undefined;
  const speak = (to: Mode): void => {
    if (to === wanted) return;
    wanted = to;
    const own = language(to);
    const put = (known: Extension): void => { if (to === wanted) view.dispatch({ effects: chosen.reconfigure(known) }); };
    // Without its colours a text can be edited as well.
    if (own instanceof Promise) own.then(put, () => put([]));
    else put(own);
  };
  speak(mode);
  return {
    setMode: speak,
    setText: (to) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: to } }),
    focus: () => view.focus(),
    destroy: () => {
      wanted = undefined;
      view.destroy();
    },
  };
}
