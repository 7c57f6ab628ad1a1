// The document that the server describes itself with, as far as the console reads it.
export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  enum?: string[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  contentEncoding?: string;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  description?: string;
  required?: boolean;
  schema: Schema;
}

export interface Content {
  schema?: Schema;
  example?: unknown;
}

export interface Answer {
  $ref?: string;
  description?: string;
  content?: Record<string, Content>;
}

interface Described {
  operationId: string;
  summary?: string;
  description?: string;
  tags?: string[];
  deprecated?: boolean;
  parameters?: Parameter[];
  requestBody?: { description?: string; required?: boolean; content: Record<string, Content> };
  responses: Record<string, Answer>;
}

export interface Operation extends Described {
  path: string;
  method: string;
}

export interface Document {
  info: { title: string; version: string; description?: string };
  tags?: { name: string; description?: string }[];
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, Schema>; responses: Record<string, Answer> };
}

/** Those that one needs first, before the others of their group. */
const FIRST = ["keysPut", "keysGet", "keysList", "kvPut", "kvRange", "kvDeleteRange", "kvTxn", "leaseGrant", "leaseKeepAlive", "watchEvents"];
const METHODS = ["get", "put", "post", "patch", "delete"];

export class Spec {
  readonly operations: Operation[];
  readonly info: Document["info"];

  constructor(private readonly document: Document) {
    this.info = document.info;
    const tags = (document.tags ?? []).map(({ name }) => name);
    const first = (id: string): number => (FIRST.indexOf(id) + 1 || FIRST.length + 1);
    const rank = ({ tags: own, deprecated, operationId }: Operation): [number, number, number] =>
      [tags.indexOf(own?.[0] ?? ""), deprecated === true ? 1 : 0, first(operationId)];
    const all = Object.entries(document.paths).flatMap(([path, item]) =>
      METHODS.flatMap((method) => (item[method] ? [{ ...item[method], path, method: method.toUpperCase() }] : [])));
    this.operations = all.map((one, at) => ({ one, rank: [...rank(one), at] })).sort((a, b) => compare(a.rank, b.rank)).map(({ one }) => one);
  }

  about(tag: string): string {
    return this.document.tags?.find(({ name }) => name === tag)?.description ?? "";
  }

  schema(node: Schema | undefined): Schema {
    let found = node;
    for (let depth = 0; found?.$ref !== undefined && depth < 8; depth += 1) found = this.document.components.schemas[last(found.$ref)];
    return found ?? {};
  }

  answer(node: Answer): Answer {
    return node.$ref === undefined ? node : (this.document.components.responses[last(node.$ref)] ?? {});
  }

  /** The forms in which an operation is answered, if all is well. */
  forms(operation: Operation): Record<string, Content> {
    const good = Object.entries(operation.responses).find(([status]) => status.startsWith("2"));
    return good ? (this.answer(good[1]).content ?? {}) : {};
  }

  /** The operation that a path is of: the one with the most of it in so many words. */
  find(method: string, path: string): Operation | undefined {
    const fits = this.operations.filter((each) => each.method === method && pattern(each.path).test(path));
    return fits.sort((one, other) => literal(other.path) - literal(one.path))[0];
  }

  /** Whether it may go on for as long as it is read. */
  isStream(operation: Operation): boolean {
    const forms = this.forms(operation);
    return "text/event-stream" in forms || "application/x-ndjson" in forms;
  }
}

/** Names of keys, locks and the like, which end a path, may have slashes in them. */
function pattern(path: string): RegExp {
  const parts = path.split(/(\{\w+\})/).filter(Boolean);
  const source = parts.map((part, at) => (!part.startsWith("{") ? part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") : at === parts.length - 1 ? ".+" : "[^/]+"));
  return new RegExp(`^${source.join("")}$`);
}

function literal(path: string): number {
  return path.replace(/\{\w+\}/g, "").length;
}

function compare(a: number[], b: number[]): number {
  const at = a.findIndex((value, place) => value !== b[place]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

export function last(reference: string): string {
  return reference.split("/").pop() ?? "";
}

/** Whether all words are somewhere in what is said of an operation. */
export function matches(operation: Operation, words: string): boolean {
  const text = [operation.method, operation.path, operation.summary, operation.operationId, operation.tags?.[0]].join(" ").toLowerCase();
  return words.toLowerCase().split(/\s+/).filter(Boolean).every((word) => text.includes(word));
}
