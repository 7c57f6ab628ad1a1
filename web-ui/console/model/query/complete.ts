// What may come next, where one writes.
import type { Operation, Spec } from "../spec";
import { METHODS, hasBody, isComment, methodOf } from "./blocks";
import { COMMANDS, type Command } from "./commands";

export interface Option {
  label: string;
  detail?: string | undefined;
  /** What is put in, if that is not the label. */
  apply?: string;
}

export interface Completion {
  /** Where in the line it begins. */
  from: number;
  options: Option[];
  /** Keys that begin so are wanted as well; `isPath` is how they are written. */
  keys?: { begin: string; isPath: boolean };
}

const KEYS_PATH = "/v3/keys/";

/** `lines` are those down to where one writes, the last of them up to there. */
export function complete(lines: readonly string[], spec: Spec | undefined): Completion | undefined {
  const line = lines.at(-1) ?? "";
  if (isComment(line) || isInBody(lines)) return undefined;
  if (/^\s*\S*$/.test(line)) return beginning(line);
  const method = methodOf(line);
  return method === undefined ? ofCommand(line) : ofRequest(line, method, spec);
}

function isInBody(lines: readonly string[]): boolean {
  const first = lines.slice(0, -1).findLastIndex((line) => line.trim() === "") + 1;
  const at = lines.slice(first, -1).findIndex((line) => hasBody(methodOf(line) ?? ""));
  return at >= 0;
}

function beginning(line: string): Completion {
  const from = line.length - line.trimStart().length;
  const commands = COMMANDS.map(({ name, about }) => ({ label: name, detail: about, apply: `${name} ` }));
  return { from, options: [...commands, ...METHODS.map((method) => ({ label: method, apply: `${method} /` }))] };
}

function ofCommand(line: string): Completion | undefined {
  const found = COMMANDS.find(({ name }) => line.trimStart().startsWith(`${name} `));
  if (!found) {
    const begun = line.trimStart();
    const from = line.length - begun.length;
    const options = COMMANDS.filter(({ name }) => name.startsWith(begun)).map(({ name, about }) => ({ label: name, detail: about, apply: `${name} ` }));
    return options.length > 0 ? { from, options } : undefined;
  }
  const [word = ""] = /\S*$/.exec(line) ?? [];
  const from = line.length - word.length;
  if (word.startsWith("-")) return { from, options: flagsOf(found) };
  const before = line.trimStart().slice(found.name.length, -word.length || undefined).trim().split(/\s+/).filter((each) => each !== "" && !each.startsWith("-"));
  if (found.isOfKeys && before.length === 0 && !/["'$\\]/.test(word)) return { from, options: word === "" ? flagsOf(found) : [], keys: { begin: word, isPath: false } };
  return word === "" ? { from, options: flagsOf(found) } : undefined;
}

function flagsOf({ flags }: Command): Option[] {
  return Object.entries(flags).map(([flag, { value, about }]) => ({ label: value === undefined ? flag : `${flag} ${value}`, detail: about, apply: value === undefined ? flag : `${flag} ` }));
}

function ofRequest(line: string, method: string, spec: Spec | undefined): Completion | undefined {
  const [, before = "", path = ""] = /^(\s*[A-Z]+\s+)(\S*)$/.exec(line) ?? [];
  if (before === "") return undefined;
  const [plain = "", query] = path.split(/\?(.*)/s);
  if (query !== undefined) return parameters(line, query, spec?.find(method, plain));
  const all = (spec?.operations ?? []).filter((each) => each.method === method && each.deprecated !== true);
  const options = all.map((operation) => ({ label: operation.path, detail: operation.summary, apply: operation.path.replace(/\{.*/s, "") }));
  const keys = plain.startsWith(KEYS_PATH) ? { keys: { begin: plain.slice(KEYS_PATH.length), isPath: true } } : {};
  return { from: keys.keys ? before.length + KEYS_PATH.length : before.length, options: keys.keys ? [] : options, ...keys };
}

function parameters(line: string, query: string, operation: Operation | undefined): Completion | undefined {
  const [begun = ""] = /[^&]*$/.exec(query) ?? [];
  if (begun.includes("=") || !operation) return undefined;
  const all = (operation.parameters ?? []).filter((parameter) => parameter.in === "query");
  return {
    from: line.length - begun.length,
    options: all.map(({ name, description, schema }) => ({ label: name, detail: description?.split(/[.:;]/)[0], apply: schema.type === "boolean" ? name : `${name}=` })),
  };
}
