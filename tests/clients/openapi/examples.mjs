// Sends every example of the served document to the server that serves it, and holds what comes against what the document says:
// a status that is named, a media type that is named, a body that its schema allows. The examples of answers have to be allowed
// by their schemas, too.
// Usage `examples.mjs URL`; succeeds or says what is wrong. The server is a new one, without users.
import assert from "node:assert/strict";
import Ajv from "ajv/dist/2020.js";

const [url] = process.argv.slice(2);
const document = await (await fetch(`${url}/openapi.json`)).json();
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema(document, "document");

const escape = (part) => part.replaceAll("~", "~0").replaceAll("/", "~1");
const pointer = (...parts) => `#/${parts.map(escape).join("/")}`;
const at = (reference) =>
  reference.slice(2).split("/").reduce((node, part) => node[part.replaceAll("~1", "/").replaceAll("~0", "~")], document);

/** Where something stands that may be a reference to where it stands. */
function home(reference) {
  const node = at(reference);
  return node.$ref ? home(node.$ref) : reference;
}

/** Fails unless a value is what the schema at a place says. */
function check(value, place, what) {
  const validate = ajv.getSchema(`document${place}`) ?? ajv.compile({ $ref: `document${place}` });
  assert.ok(validate(value), `${what}: ${JSON.stringify(value)}: ${ajv.errorsText(validate.errors)}`);
}

/** Fails unless every example below `content` is valid; says how many there are. */
function checkExamples(place, what) {
  let count = 0;
  for (const [type, { example, schema }] of Object.entries(at(place).content ?? {})) {
    if (example === undefined) continue;
    assert.ok(schema, `${what}: an example without a schema`);
    check(example, `${place}/content/${escape(type)}/schema`, `${what} ${type}`);
    count += 1;
  }
  return count;
}

/** What stands in the path. */
const IN_PATH = {
  key: "app/db", check: "serializable_read", profile: "heap", file: "notices.txt", lock: "nightly", election: "chief", role: "reader", problem: "conflict",
};
/** Those that a new server without users has to refuse, or that lead elsewhere. */
const STATUS = {
  authenticate: 400, authEnable: 400, clusterMemberPromote: 404, clusterMemberRemove: 404, clusterMemberUpdate: 404,
  electionProclaim: 500, leaseRevoke: 404, leaseRevokeAlias: 404, maintenanceMoveLeader: 400, operationsOtherProfile: 404,
  sessionBegin: 409, sessionChangePassword: 409, membersUpdate: 404, membersRemove: 404, membersPromote: 404, membersLead: 409,
  membersGet: 404, authenticationSet: 409, electionsProclaim: 409, locksRelease: 404, electionsResign: 404, rolesRevoke: 404,
  usersRevokeRole: 404, membersAdd: 409, rolesAdd: 409, rolesRemove: 404,
};
/** Bytes, for what takes any; what the examples of patches are for. */
const VALUE = '{"host":"db","port":5432}';
/** What they need to be asked at all. */
const QUERY = {
  watchEvents: "?prefix=", electionsProclaim: "?lease=7", locksRelease: "?lease=7", electionsResign: "?lease=7", rolesRevoke: "?key=a", keysDeleteAll: "?prefix=nothing/", operationsProfile: "?seconds=1", "keysPatch application/octet-stream": "?append",
};

/** The first line or event of a stream, or all of an answer that is none. */
async function body(answer, endless) {
  if (!endless) return answer.text();
  let text = "";
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text.includes("\n\n") || (text.includes("\n") && !text.startsWith("retry:"))) break;
  }
  return text;
}

/** An event as the document has it: `data` is text. */
function event(text) {
  const fields = {};
  for (const line of text.split("\n\n")[0].split("\n").filter((line) => line && !line.startsWith(":"))) {
    const [, name, value] = line.match(/^(\w+): ?(.*)$/);
    fields[name] = name === "retry" ? Number(value) : value;
  }
  return fields;
}

function parsed(type, text) {
  if (type === "text/event-stream") return event(text);
  if (type === "application/x-ndjson") return JSON.parse(text.split("\n")[0]);
  return type.endsWith("json") ? JSON.parse(text.trim().split("\n")[0].startsWith('{"result"') ? text.split("\n")[0] : text) : text;
}

/** Asks once, with one form of a body or none, for one form of an answer. */
async function ask(path, method, operation, accept, sent) {
  const what = `${operation.operationId} (${accept}, ${sent?.type ?? "no body"})`;
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => {
    // Users and roles have names, which other examples give them.
    const value = name === "name" ? (path.startsWith("/v3/roles") ? "reader" : "app") : IN_PATH[name];
    if (value === undefined) unknown.add(operation.operationId);
    return encodeURIComponent(value ?? "alice");
  });
  const stop = new AbortController();
  const headers = { Accept: accept, ...(sent && { "Content-Type": sent.type }) };
  const answer = await fetch(url + filled + (QUERY[`${operation.operationId} ${sent?.type}`] ?? QUERY[operation.operationId] ?? ""), {
    method: method.toUpperCase(), headers, body: sent?.text, redirect: "manual", signal: stop.signal,
  });
  const place = home(pointer("paths", path, method, "responses", String(answer.status)));
  const described = at(place);
  const type = answer.headers.get("content-type")?.split(";")[0];
  const wanted = STATUS[operation.operationId];
  const endless = type === "text/event-stream" || type === "application/x-ndjson" || ["watch", "electionObserve"].includes(operation.operationId);
  const text = await body(answer, endless && answer.ok);
  stop.abort();
  if (wanted) assert.equal(answer.status, wanted, `${what}: ${text}`);
  else assert.ok(answer.status < 400 || unknown.has(operation.operationId), `${what}: ${answer.status} ${text}`);
  if (!described.content) return assert.equal(text, "", `${what} is answered with a body`);
  assert.ok(described.content[type], `${what}: ${type} is not in the document`);
  if (text === "" && method === "head") return;
  check(parsed(type, text), `${place}/content/${escape(type)}/schema`, `${what}: ${answer.status}`);
}

const unknown = new Set();
let examples = 0;
let asked = 0;
const wrong = [];
for (const [name, response] of Object.entries(document.components.responses)) {
  if (response.content) examples += checkExamples(pointer("components", "responses", name), name);
}

// What the examples are about.
await fetch(`${url}/v3/keys/app/db`, { method: "PUT", body: VALUE });
const lease = await (await fetch(`${url}/v3/leases`, { method: "POST", body: '{"ttl":600}' })).json();
IN_PATH.id = lease.id;

// What takes things away comes last.
const rank = (method, path) => method === "delete" || path.includes("delete") ? 2 : /remove|revoke|unlock|resign/.test(path) ? 1 : 0;
const operations = Object.entries(document.paths)
  .flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ path, method, operation })))
  .sort((a, b) => rank(a.method, a.path) - rank(b.method, b.path));
for (const { path, method, operation } of operations) {
  const place = pointer("paths", path, method);
  if (operation.requestBody) examples += checkExamples(`${place}/requestBody`, operation.operationId);
  for (const status of Object.keys(operation.responses)) {
    examples += checkExamples(home(`${place}/responses/${status}`), `${operation.operationId} ${status}`);
  }
  const forms = Object.entries(operation.requestBody?.content ?? {})
    .map(([type, { example }]) => ({ type, text: example === undefined ? VALUE : JSON.stringify(example) }));
  const good = Object.entries(operation.responses).find(([status]) => status.startsWith("2"))?.[1];
  const accepts = Object.keys(good?.content ?? { "*/*": null });
  for (const sent of forms.length ? forms : [undefined]) {
    for (const accept of sent?.type === "application/json" || !sent ? accepts : accepts.slice(0, 1)) {
      await ask(path, method, operation, accept, sent).catch((error) => wrong.push(error.message));
      asked += 1;
    }
  }
}
assert.deepEqual(wrong, []);
assert.ok(examples > 100 && asked > 80, `only ${examples} examples and ${asked} requests`);
console.log(`${examples} examples, ${asked} requests; not known: ${[...unknown].join(", ") || "none"}`);
process.exit(0);
