"use strict";
// The explorer: reads /openapi.json, lists its operations, shows their schemas and sends requests to this server.
// Everything is built as DOM nodes, never as markup, so that nothing an answer holds can become part of the page.

const byId = (id) => document.getElementById(id);
const METHODS = ["get", "post", "put", "delete", "patch", "head", "options"];
/** Lines or events shown of a stream; older ones go. */
const MAX_EVENTS = 500;

/** An element with properties and children; `class`, `aria-…` and `data-…` become attributes. */
function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== ""));
  return element;
}

// The document -------------------------------------------------------------------------------------------------------

let api = {};
let operations = [];

function resolve(node) {
  let target = node;
  while (target && target.$ref) {
    target = target.$ref.slice(2).split("/").reduce((at, name) => at?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], api);
  }
  return target || {};
}

const refName = (schema) => schema?.$ref?.split("/").pop();

function listOperations() {
  const found = [];
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS) {
      if (item[method]) found.push({ path, method: method.toUpperCase(), ...item[method] });
    }
  }
  const order = (api.tags || []).map((tag) => tag.name);
  const place = (operation) => order.indexOf((operation.tags || [])[0]);
  return found.sort((a, b) => place(a) - place(b) || Number(!!a.deprecated) - Number(!!b.deprecated));
}

const requestSchema = (operation) => operation.requestBody?.content?.["application/json"]?.schema;

function answerSchema(operation) {
  const content = resolve(operation.responses?.["200"])?.content || {};
  return (content["application/json"] || Object.values(content)[0])?.schema;
}

const isStream = (operation) => {
  const content = resolve(operation.responses?.["200"])?.content || {};
  return !!resolve(answerSchema(operation)).properties?.result || "text/event-stream" in content;
};

// Text ---------------------------------------------------------------------------------------------------------------

/** `code`, **bold** and plain text. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`")) return h("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return h("strong", {}, part.slice(2, -2));
    return part;
  });
}

/** The Markdown that the document makes use of: paragraphs, lists, tables. */
function prose(text) {
  return h("div", { className: "prose" }, (text || "").split(/\n{2,}/).filter(Boolean).map((block) => {
    const lines = block.split("\n");
    if (lines.every((line) => line.startsWith("- "))) {
      return h("ul", {}, lines.map((line) => h("li", {}, inline(line.slice(2)))));
    }
    if (lines.every((line) => line.startsWith("|")) && lines.length > 2) {
      const cells = (line, tag) => h("tr", {}, line.split("|").slice(1, -1).map((cell) => h(tag, {}, inline(cell.trim()))));
      return h("table", {}, cells(lines[0], "th"), lines.slice(2).map((line) => cells(line, "td")));
    }
    return h("p", {}, inline(lines.join(" ")));
  }));
}

function toBase64(text) {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
}

/** The text that base64 stands for; null if it is none, or binary. */
function fromBase64(text) {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

// Schemas ------------------------------------------------------------------------------------------------------------

function kindOf(schema) {
  const target = resolve(schema);
  if (target.type === "array") return `${kindOf(target.items)}[]`;
  if (target.enum) return refName(schema) || "enum";
  if (refName(schema)) return refName(schema);
  if (target.contentEncoding === "base64") return "bytes (base64)";
  return target.format ? `${target.type} (${target.format})` : target.type || "any";
}

/** A schema as a list of fields; messages inside open on demand, so that recursion costs nothing. */
function schemaView(schema) {
  const target = resolve(schema);
  const several = target.allOf || target.anyOf || target.oneOf;
  if (several) return several.map(schemaView);
  const fields = Object.entries(target.properties || {});
  const box = h("div", { className: "schema" }, prose(target.description));
  if (target.type === "object" && !fields.length) box.append(h("p", { className: "hint" }, "No fields."));
  if (fields.length) {
    box.append(h("dl", {}, fields.map(([name, field]) => [
      h("dt", {}, h("code", {}, name), " ", h("span", { className: "kind" }, kindOf(field))),
      h("dd", {}, inline(field.description || ""), nested(field)),
    ])));
  }
  return box;
}

function nested(field) {
  const inner = field.type === "array" ? field.items : field;
  const target = resolve(inner);
  if (target.enum) return prose(target.description);
  if (!target.properties && !target.anyOf) return null;
  return lazyDetails(refName(inner) || "fields", () => schemaView(inner));
}

function lazyDetails(title, build, open) {
  const details = h("details", { open: !!open }, h("summary", {}, title));
  const fill = () => { if (details.open && details.children.length === 1) details.append(...[build()].flat()); };
  details.addEventListener("toggle", fill);
  fill();
  return details;
}

// JSON with its base64 made readable -----------------------------------------------------------------------------------

/**
 * JSON as it is written: `items` of an array, `fields` of an object as pairs of a name's text and a value, else a `text`.
 * As numbers, those of more than 53 bits would lose their last digits.
 */
function readJson(text) {
  JSON.parse(text); // says what is wrong with it
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  let at = 0;
  const value = () => {
    const token = tokens[at++];
    if (token !== "[" && token !== "{") return { text: token };
    const [kind, end] = token === "[" ? ["items", "]"] : ["fields", "}"];
    const members = [];
    while (tokens[at] !== end) {
      if (tokens[at] === ",") at += 1;
      const name = tokens[at];
      if (kind === "fields") at += 2; // past the name and its colon
      members.push(kind === "fields" ? [name, value()] : value());
    }
    at += 1;
    return { [kind]: members };
  };
  return value();
}

/** Pretty JSON as nodes. Values that the schema knows for bytes are followed by the text they stand for. */
function json(value, schema, indent = "") {
  const target = resolve(schema);
  const inner = indent + "  ";
  if (value.items) {
    if (!value.items.length) return ["[]"];
    const items = value.items.map((item, at) => [at ? ",\n" : "\n", inner, json(item, target.items, inner)]);
    return ["[", items, `\n${indent}]`];
  }
  if (value.fields) {
    if (!value.fields.length) return ["{}"];
    const items = value.fields.map(([name, field], at) =>
      [at ? ",\n" : "\n", inner, name, ": ", json(field, target.properties?.[JSON.parse(name)], inner)]);
    return ["{", items, `\n${indent}}`];
  }
  const bytes = target.contentEncoding === "base64" && value.text.startsWith('"');
  const decoded = bytes ? fromBase64(JSON.parse(value.text)) : null;
  return decoded === null ? [value.text] : [value.text, h("span", { className: "decoded" }, decoded)];
}

function prettyNodes(text, schema) {
  try {
    return json(readJson(text), schema).flat(Infinity);
  } catch {
    return [text];
  }
}

// Sending ------------------------------------------------------------------------------------------------------------

function requestOf(operation, form) {
  const query = [];
  let path = operation.path;
  const headers = {};
  for (const { parameter, input } of form.inputs) {
    const values = (input.type === "checkbox" ? (input.checked ? ["true"] : []) : input.value.split("\n"));
    for (const value of values.filter((value) => value !== "" || (input.dataset.empty && input.dataset.empty === "on"))) {
      if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
      else if (parameter.in === "header") headers[parameter.name] = value;
      else query.push([parameter.name, value]);
    }
  }
  // A range end belongs to the key right before it.
  const rank = ([name]) => ["key", "key_b64", "range_end", "range_end_b64"].indexOf(name);
  query.sort((a, b) => rank(a) - rank(b));
  const search = query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  const token = byId("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  if ("text/event-stream" in (resolve(operation.responses?.["200"]).content || {})) headers.Accept = "text/event-stream";
  const body = form.body ? form.body.value : undefined;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return { url: path + (search ? `?${search}` : ""), options: { method: operation.method, headers, body } };
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curlCommand({ url, options }) {
  const parts = ["curl", "-N", quote(location.origin + url)];
  if (options.method !== "GET" && options.body === undefined) parts.push("-X", options.method);
  for (const [name, value] of Object.entries(options.headers)) {
    if (name !== "Content-Type") parts.push("-H", quote(`${name}: ${value}`));
  }
  if (options.body !== undefined) parts.push("-d", quote(options.body.replace(/\s*\n\s*/g, " ").trim()));
  return parts.join(" ");
}

/** Sends a request and shows what comes, as it comes. */
async function send(operation, request, output, signal) {
  const started = performance.now();
  const elapsed = () => `${(performance.now() - started).toFixed(0)} ms`;
  const status = h("p", { className: "status", role: "status" }, "Sent …");
  output.replaceChildren(status);
  let count = 0;
  try {
    const answer = await fetch(request.url, { ...request.options, signal, cache: "no-store" });
    const type = answer.headers.get("content-type") || "";
    const line = `${answer.status} ${answer.statusText}`.trim();
    status.className = `status ${answer.ok ? "good" : "bad"}`;
    status.textContent = `${line} · ${elapsed()}`;
    const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    output.append(h("details", {}, h("summary", {}, "Headers"), h("pre", {}, headers)));
    const body = h("pre", { tabIndex: 0, "aria-label": "Answer" });
    output.append(body);
    if (answer.ok && isStream(operation) && answer.body) {
      const events = type.startsWith("text/event-stream");
      for await (const piece of pieces(answer.body, events ? "\n\n" : "\n")) {
        count += 1;
        const nodes = events ? [piece] : prettyNodes(piece, answerSchema(operation));
        body.append(h("div", { className: "event" }, nodes));
        if (body.children.length > MAX_EVENTS) body.firstChild.remove();
        body.scrollTop = body.scrollHeight;
        status.textContent = `${line} · ${count} received · ${elapsed()}`;
      }
      status.textContent += " · ended";
    } else {
      const text = await answer.text();
      body.append(...(text ? prettyNodes(text, answer.ok ? answerSchema(operation) : undefined) : ["(empty)"]));
      status.textContent = `${line} · ${elapsed()} · ${new Blob([text]).size} bytes`;
    }
  } catch (error) {
    status.textContent = error.name === "AbortError" ? `${status.textContent} · stopped` : `No answer: ${error.message}`;
    if (error.name !== "AbortError") status.className = "status bad";
  }
}

/** Cuts a body at a separator while it arrives. */
async function* pieces(body, separator) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split(separator);
    rest = parts.pop();
    yield* parts.filter((part) => part.trim());
  }
  if (rest.trim()) yield rest;
}

// The page -----------------------------------------------------------------------------------------------------------

let stopCurrent = () => {};

function show(operation) {
  stopCurrent();
  const main = byId("main");
  document.title = `${operation.summary} · Keyport API`;
  const form = { inputs: [], body: null };
  const output = h("section", { "aria-label": "Answer", "aria-live": "polite" });
  const command = h("pre", { tabIndex: 0, "aria-label": "curl command" });
  const refresh = () => { command.textContent = curlCommand(requestOf(operation, form)); };

  const parameters = parameterTable(operation, form);
  const editor = bodyEditor(operation, form);
  const sendButton = h("button", { type: "button", className: "main" }, "Send");
  const stopButton = h("button", { type: "button", disabled: true }, "Stop");
  // Enter in a field must not do what a request does, which may be to delete.
  const element = h("form", { oninput: refresh, onsubmit: (event) => event.preventDefault() }, parameters, editor,
    h("div", { className: "row" }, sendButton, stopButton, h("span", { className: "hint" }, "Ctrl+Enter sends")));
  const sendForm = async () => {
    if (!element.reportValidity()) return;
    stopCurrent();
    const controller = new AbortController();
    const stop = () => controller.abort();
    stopCurrent = stop;
    stopButton.onclick = stop;
    stopButton.disabled = false;
    await send(operation, requestOf(operation, form), output, controller.signal);
    // Another one may be under way by now.
    if (stopCurrent === stop) stopButton.disabled = true;
  };
  sendButton.onclick = sendForm;
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) sendForm();
  });

  main.replaceChildren(
    h("h2", {}, operation.summary || operation.operationId),
    h("p", { className: "path mono" }, h("span", { className: `method ${operation.method}` }, operation.method), operation.path),
    operation.deprecated ? h("p", { className: "hint" }, "Kept for older clients.") : "",
    prose(operation.description),
    h("h3", {}, "Try it"), element, form.body ? converter() : "", output,
    lazyDetails("As a curl command", () => { refresh(); return [command]; }),
    h("h3", {}, "Schemas"),
    requestSchema(operation) ? lazyDetails(`Request: ${kindOf(requestSchema(operation))}`, () => schemaView(requestSchema(operation)), true) : "",
    lazyDetails(`Answer: ${kindOf(resolve(answerSchema(operation)).properties?.result || answerSchema(operation))}${isStream(operation) ? ", streamed" : ""}`,
      () => schemaView(answerSchema(operation))),
    h("h3", {}, "Statuses"),
    h("table", { className: "fields" }, Object.entries(operation.responses || {}).map(([status, response]) =>
      h("tr", {}, h("td", {}, h("code", {}, status)), h("td", {}, inline(resolve(response).description || ""))))),
  );
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash.slice(1) === operation.operationId) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function parameterTable(operation, form) {
  if (!operation.parameters?.length) return "";
  const rows = operation.parameters.map(resolve).map((parameter) => {
    const schema = resolve(parameter.schema);
    const id = `parameter-${parameter.in}-${parameter.name}`;
    const options = (schema.items ? resolve(schema.items) : schema).enum;
    const input = schema.type === "boolean" ? h("input", { id, type: "checkbox" })
      : options ? h("select", { id }, h("option", { value: "" }, "–"), options.map((option) => h("option", {}, option)))
      : schema.type === "array" ? h("textarea", { id, rows: 1, className: "low", placeholder: "one a line", spellcheck: false })
      : h("input", { id, type: "text", required: !!parameter.required, autocomplete: "off", spellcheck: false });
    form.inputs.push({ parameter, input });
    // An empty prefix means all keys, which no empty field could say.
    const all = parameter.name === "prefix"
      ? h("label", { className: "hint" }, h("input", { type: "checkbox", onchange: (event) => { input.dataset.empty = event.target.checked ? "on" : ""; } }), " all keys")
      : "";
    return h("tr", {}, h("td", {}, h("label", { htmlFor: id }, h("code", {}, parameter.name))), h("td", {}, input, all),
      h("td", { className: "hint" }, inline(parameter.description || "")));
  });
  return h("table", { className: "fields" }, rows);
}

function bodyEditor(operation, form) {
  const content = operation.requestBody?.content?.["application/json"];
  if (!content) return "";
  const area = h("textarea", { id: "body", spellcheck: false, value: JSON.stringify(content.example ?? {}, null, 2) });
  area.rows = Math.min(24, area.value.split("\n").length + 1);
  form.body = area;
  const message = h("span", { className: "hint", role: "status" });
  const replace = (convert, problem) => () => {
    const { selectionStart: start, selectionEnd: end } = area;
    const converted = start === end ? null : convert(area.value.slice(start, end));
    message.textContent = converted === null ? problem : "";
    if (converted === null) return;
    area.setRangeText(converted, start, end, "select");
    area.dispatchEvent(new Event("input", { bubbles: true }));
    area.focus();
  };
  const format = () => {
    try {
      area.value = json(readJson(area.value)).flat(Infinity).join("");
      message.textContent = "";
    } catch (error) {
      message.textContent = error.message;
    }
  };
  return h("div", {},
    h("label", { htmlFor: "body" }, "Body", operation.requestBody.description ? h("span", { className: "hint" }, ` · ${operation.requestBody.description}`) : ""),
    area,
    h("div", { className: "row" },
      h("button", { type: "button", onclick: replace(toBase64, "Select the text to encode first."), title: "Replaces the selected text" }, "Selection to base64"),
      h("button", { type: "button", onclick: replace(fromBase64, "Select base64 of a text first."), title: "Replaces the selected base64" }, "Selection from base64"),
      h("button", { type: "button", onclick: format }, "Format"), message));
}

/** Text and base64 side by side, each following the other. */
function converter() {
  const text = h("input", { type: "text", spellcheck: false, autocomplete: "off", placeholder: "foo" });
  const base64 = h("input", { type: "text", spellcheck: false, autocomplete: "off", placeholder: "Zm9v", className: "mono" });
  const end = h("code", {}, "");
  const prefixEnd = () => {
    const bytes = new TextEncoder().encode(text.value);
    let last = bytes.length - 1;
    while (last >= 0 && bytes[last] === 255) last -= 1;
    if (last < 0) { end.textContent = "AA=="; return; }
    const until = bytes.slice(0, last + 1);
    until[last] += 1;
    end.textContent = btoa(String.fromCharCode(...until));
  };
  text.addEventListener("input", (event) => { event.stopPropagation(); base64.value = toBase64(text.value); prefixEnd(); });
  base64.addEventListener("input", (event) => { event.stopPropagation(); text.value = fromBase64(base64.value) ?? "(not a text)"; prefixEnd(); });
  return h("details", {}, h("summary", {}, "Base64 converter"), h("div", { className: "row" },
    h("label", {}, "Text ", text), h("label", {}, "Base64 ", base64),
    h("span", { className: "hint" }, "As a prefix, its range_end: ", end)));
}

function overview() {
  document.title = "Keyport API";
  byId("main").replaceChildren(h("h2", {}, api.info.title), prose(api.info.description),
    h("p", { className: "hint" }, "Choose an operation to see its schemas and to try it against this server."));
}

function list() {
  const wanted = byId("filter").value.trim().toLowerCase();
  const matches = operations.filter((operation) =>
    [operation.path, operation.summary, operation.operationId].join(" ").toLowerCase().includes(wanted));
  const groups = Map.groupBy ? Map.groupBy(matches, (operation) => operation.tags?.[0]) : matches.reduce((map, operation) =>
    map.set(operation.tags?.[0], [...(map.get(operation.tags?.[0]) || []), operation]), new Map());
  byId("list").replaceChildren(...[...groups].flatMap(([tag, members]) => [
    h("h2", { title: api.tags?.find((other) => other.name === tag)?.description }, tag),
    h("ul", {}, members.map((operation) => h("li", {}, h("a", { href: `#${operation.operationId}`, title: operation.summary, className: operation.deprecated ? "old" : "" },
      h("span", { className: `method ${operation.method}` }, operation.method), operation.path)))),
  ]));
  if (!matches.length) byId("list").append(h("p", { className: "hint" }, "Nothing matches."));
}

function route() {
  if (location.hash === "#main") return;
  const operation = operations.find((other) => other.operationId === location.hash.slice(1));
  if (operation) show(operation); else overview();
}

function remember(input, key, store, apply) {
  try { input.value = store.getItem(key) || ""; } catch { /* storage may be off */ }
  const changed = () => { try { store.setItem(key, input.value); } catch { /* as above */ } apply?.(); };
  input.addEventListener("input", changed);
  apply?.();
}

async function start() {
  remember(byId("token"), "keyport-token", sessionStorage);
  remember(byId("theme"), "keyport-theme", localStorage, () => { document.documentElement.dataset.theme = byId("theme").value; });
  byId("filter").addEventListener("input", list);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
      event.preventDefault();
      byId("filter").focus();
    }
  });
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    api = await answer.json();
  } catch (error) {
    byId("main").replaceChildren(h("p", { className: "status bad" }, `/openapi.json could not be read: ${error.message}`));
    return;
  }
  byId("version").textContent = api.info.version;
  operations = listOperations();
  list();
  window.addEventListener("hashchange", route);
  route();
}

start();
