// What is sent, of what a form says.
import { address, endpoint } from "../../api/base";
import type { Request } from "../../model/exchange";
import type { Operation, Parameter, Spec } from "../../model/spec";

/** Texts by the names of parameters: none where nothing is said, several where several may be. */
export type Values = Partial<Record<string, string[]>>;

/** A range end belongs to the key right before it. */
const ORDER = ["key", "range_end", "key_b64", "range_end_b64"];

export function requestOf(operation: Operation, values: Values, body: string | undefined, token: string, accept: string): Request {
  let path = operation.path;
  const headers: Record<string, string> = {};
  const query: [Parameter, string][] = [];
  for (const parameter of operation.parameters ?? []) {
    for (const value of values[parameter.name] ?? []) {
      if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
      else if (parameter.in === "header") headers[parameter.name] = value;
      else query.push([parameter, value]);
    }
  }
  query.sort(([a], [b]) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name));
  const url = address(path);
  for (const [{ name }, value] of query) url.searchParams.append(name, value);
  if (token !== "") headers.Authorization = `Bearer ${token}`;
  if (accept !== "") headers.Accept = accept;
  if (body !== undefined) headers["Content-Type"] = contentType(operation);
  return { url, method: operation.method, headers, body };
}

function contentType(operation: Operation): string {
  const forms = Object.keys(operation.requestBody?.content ?? {});
  return forms.includes("application/json") ? "application/json" : (forms[0] ?? "application/json");
}

/** The forms that an answer may be asked for in. */
export function accepts(spec: Spec, operation: Operation): string[] {
  return Object.keys(spec.forms(operation));
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The same, typed elsewhere. */
export function curl({ url, method, headers, body }: Request): string {
  const parts = ["curl", "-N", quote(endpoint + url.pathname + url.search)];
  if (method !== (body === undefined ? "GET" : "POST")) parts.push("-X", method);
  for (const [name, value] of Object.entries(headers)) {
    if (name !== "Content-Type" || value !== "application/json") parts.push("-H", quote(`${name}: ${value}`));
  }
  if (body !== undefined) parts.push("-d", quote(body.includes("\n") ? body.replace(/\s*\n\s*/g, " ").trim() : body));
  return parts.join(" ");
}

/** What is filled in to begin with, so that what is sent untouched is something. */
export function defaults(operation: Operation): Values {
  return operation.operationId === "watchEvents" ? { prefix: [""] } : {};
}

export function bodyOf(operation: Operation): string | undefined {
  const content = Object.entries(operation.requestBody?.content ?? {});
  const [, form] = content.find(([type]) => type === "application/json") ?? content[0] ?? [];
  if (!form) return undefined;
  return form.example === undefined ? "" : JSON.stringify(form.example, null, 2);
}
