// A call of what somebody has written, or a sentence that says what is wrong with it.
import { type Call, mayChange } from "./call";
import { METHODS, hasBody, methodOf } from "./blocks";
import { COMMANDS, type Command, type Given, Wrong } from "./commands";
import { nearest } from "./nearest";
import { type Word, words } from "./words";

export type Parsed = { call: Call } | { wrong: string };

/** `endpoint` is the server that the page is of: what is copied from elsewhere may name it. */
export function parse(text: string, endpoint = ""): Parsed {
  try {
    return { call: methodOf(text) === undefined ? command(text, endpoint) : request(text) };
  } catch (error) {
    if (error instanceof Wrong) return { wrong: error.message };
    throw error;
  }
}

function request(text: string): Call {
  const method = methodOf(text) ?? "";
  if (!METHODS.some((each) => each === method)) throw new Wrong(`There is no method ${method}${meant(method, METHODS)}`);
  const [first = "", ...rest] = text.split("\n");
  const [, path = "", inline = ""] = /^\s*[A-Z]+\s*(\S*)\s*(.*)$/.exec(first) ?? [];
  if (!path.startsWith("/")) throw new Wrong(path === "" ? `${method} wants a path: ${method} /v3/keys/app/x` : `A path begins with /, and is one of this server: ${method} /${path.replace(/^\w+:\/\/[^/]*\/?/, "")}`);
  if (path.startsWith("//") || path.includes("\\")) throw new Wrong("A path is one of this server: it begins with one /, and has no \\ in it");
  const body = [...(inline === "" ? [] : [inline]), ...rest].join("\n");
  if (!hasBody(method) && body !== "") throw new Wrong(`${method} has no body: what stands behind the path is too much`);
  return { method, path, body: hasBody(method) ? body : undefined, changes: mayChange(method, path) };
}

function command(text: string, endpoint: string): Call {
  const all = words(text.trim());
  if (typeof all === "string") throw new Wrong(all);
  const rest = all[0]?.text === "etcdctl" ? all.slice(1) : all;
  const own = withoutEndpoints(rest, endpoint);
  const found = commandOf(own);
  const given = givenOf(found, own.slice(found.name.split(" ").length));
  return { ...found.call(given), changes: found.changes };
}

/** The words without `--endpoints`, which may name this server and no other. */
function withoutEndpoints(all: readonly Word[], endpoint: string): readonly Word[] {
  const at = all.findIndex(({ text }) => /^--endpoints(=|$)/.test(text));
  const word = all[at];
  if (!word) return all;
  const isApart = !word.text.includes("=");
  const named = isApart ? (all[at + 1]?.text ?? "") : word.text.slice("--endpoints=".length);
  if (named.replace(/\/$/, "") !== endpoint) throw new Wrong("This page asks the server that it is of, and no other: leave --endpoints out");
  return [...all.slice(0, at), ...all.slice(at + (isApart ? 2 : 1))];
}

function commandOf(all: readonly Word[]): Command {
  const [first = "", second = ""] = all.map(({ text }) => text);
  const found = COMMANDS.find(({ name }) => name === first || name === `${first} ${second}`);
  if (found) return found;
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
  if (group.length > 0) throw new Wrong(`There is no command ${`${first} ${second}`.trim()}${meant(`${first} ${second}`, group) || `: there is ${group.join(", ")}`}`);
  const names = COMMANDS.map(({ name }) => name);
  const guess = meant(`${first} ${second}`, names.filter((name) => name.includes(" "))) || meant(first, names) || meant(first.toUpperCase(), METHODS);
  throw new Wrong(`There is no command ${first}${guess || `: there is ${names.join(", ")}; or a request like GET /v3/keys/app/x`}`);
}

function givenOf({ name, flags, args: usage, takes: [least, most] }: Command, all: readonly Word[]): Given {
  const args: Word[] = [];
  const given = new Map<string, Word | undefined>();
  for (let at = 0; at < all.length; at += 1) {
    const word = all[at];
    if (!word) break;
    if (word.text === "--") {
      args.push(...all.slice(at + 1));
      break;
    }
    if (!/^-{1,2}[a-z]/.test(word.text)) {
      args.push(word);
      continue;
    }
    const [flag = "", value] = word.text.split(/=(.*)/s);
    if (flag === "-w" || flag === "--write-out") {
      if ((value ?? all[(at += 1)]?.text) !== "json") throw new Wrong("Answers are JSON here: leave --write-out out");
      continue;
    }
    const known = flags[flag];
    if (!known) throw new Wrong(`${name} has no flag ${flag}${meant(flag, Object.keys(flags))}`);
    if (known.value === undefined) {
      if (value !== undefined && value !== "true" && value !== "false") throw new Wrong(`${flag} is there or not, and takes no value`);
      if (value !== "false") given.set(flag, undefined);
      continue;
    }
    const follows = value === undefined ? all[(at += 1)] : { text: value, bytes: new TextEncoder().encode(value) };
    if (!follows) throw new Wrong(`${flag} wants a value: ${flag} ${known.value}`);
    given.set(flag, follows);
  }
  if (args.length < least || args.length > most) throw new Wrong(`${name} is written so: ${`${name} ${usage}`.trim()}`);
  return { args, has: (flag) => given.has(flag), value: (flag) => given.get(flag) };
}

function meant(word: string, all: readonly string[]): string {
  const found = nearest(word.trim(), all);
  return found === undefined ? "" : `: is ${found} meant?`;
}
