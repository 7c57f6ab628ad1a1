// The one way to the API. Paths, what they take and what they answer are those of the document that the server describes itself
// with; whoever misspells something is told by the compiler.
import { type Query, address } from "./base";
import type { paths } from "./generated/schema";
import { Problem, Unreachable } from "./problem";
import { answered, silent } from "./reach";
import { login } from "./session";

type Method = "get" | "put" | "post" | "patch" | "delete";
type PathWith<M extends Method> = { [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never }[keyof paths];
type Operation<P extends keyof paths, M extends Method> = paths[P] extends Record<M, infer O> ? O : never;
/** Of an answer with a body the document, which is what is asked for; an answer may also have none. */
type Json<R> = R extends { content: infer C } ? (C extends { "application/json": infer B } ? B : never) : undefined;
type Answer<O> = O extends { responses: infer R } ? { [S in keyof R]: S extends 200 | 201 ? Json<R[S]> : never }[keyof R] : never;
type Body<O> = O extends { requestBody?: { content: { "application/json": infer B } } } ? B : never;
type QueryOf<O> = O extends { parameters: { query?: infer Q } } ? { [N in keyof Q]?: string | number | boolean | undefined } : Query;

export interface Wish<O> {
  /** What stands in braces in the path. */
  at?: Record<string, string>;
  query?: QueryOf<O>;
  body?: Body<O>;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** A help, for which nobody waits: without a login it fails at once. */
  isHelp?: boolean;
}

interface How {
  isHelp?: boolean | undefined;
  /** Somebody has begun it, and looks at what comes of it. All that changes something is. */
  byHand?: boolean;
}

/** Makes a call and tells the document that it is answered with. */
export async function call<M extends Method, P extends PathWith<M>>(
  method: M,
  path: P,
  wish: Wish<Operation<P, M>> = {},
): Promise<Answer<Operation<P, M>>> {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(wish.at?.[name] ?? ""));
  const init: RequestInit = { method: method.toUpperCase(), headers: { accept: "application/json", ...wish.headers } };
  if (wish.body !== undefined) init.body = JSON.stringify(wish.body);
  if (wish.signal) init.signal = wish.signal;
  const response = await send(address(filled, wish.query), init, { isHelp: wish.isHelp });
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as Answer<Operation<P, M>>;
}

/** Makes a request as it is, for bodies that are no documents. What is refused is thrown as a `Problem`. */
export async function send(url: URL, init: RequestInit = {}, how: How = {}): Promise<Response> {
  const response = await ask(url, init, how);
  if (response.ok || response.status === 304) return response;
  throw await Problem.of(response);
}

/** Makes a request as it is, and comes back with whatever it is answered with, after a login if that is what is missing. */
export async function ask(url: URL, init: RequestInit = {}, { isHelp = false, byHand = (init.method ?? "GET") !== "GET" }: How = {}): Promise<Response> {
  for (;;) {
    const response = await asks(url, init);
    if (!(await wantsLogin(response))) return response;
    const loggedIn = login(byHand);
    if (isHelp || !(await loggedIn)) return response;
    init.signal?.throwIfAborted();
  }
}

/** Nobody is logged in. The gateway says so as etcd does. */
async function wantsLogin(response: Response): Promise<boolean> {
  if (response.status !== 401 && response.status !== 400) return false;
  const { kind, message } = await Problem.of(response.clone());
  return response.status === 401 ? kind !== "invalid-credentials" : message === "etcdserver: user name is empty";
}

async function asks(url: URL, init: RequestInit): Promise<Response> {
  try {
    const response = await fetch(url, init);
    answered();
    return response;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    silent();
    throw new Unreachable();
  }
}
