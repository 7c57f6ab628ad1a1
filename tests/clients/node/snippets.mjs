// The boxes of a page of the book, run in a page of a real browser. Usage `snippets.mjs URL ELSEWHERE DESCRIPTORS BOXES`: the
// server, the port of another site, a file with an encoded FileDescriptorSet, and a file with a list of boxes, each with its
// code, whether it is for a page of the other site, and how many lines it logs at least. Says in a line of JSON for each what
// it logged.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { PATIENCE_MS, launch, open } from "./browser.mjs";

const [url, port, descriptors, boxes] = process.argv.slice(2);
const packages = join(dirname(createRequire(import.meta.url).resolve("@connectrpc/connect-web")), "../../../..");
const esm = (path) => `${location}/packages/${path}/index.js`;
const location = "/at-the-test";
const imports = {
  "@connectrpc/connect-web": esm("@connectrpc/connect-web/dist/esm"),
  "@connectrpc/connect": esm("@connectrpc/connect/dist/esm"),
  "@connectrpc/connect/protocol": esm("@connectrpc/connect/dist/esm/protocol"),
  "@connectrpc/connect/protocol-connect": esm("@connectrpc/connect/dist/esm/protocol-connect"),
  "@connectrpc/connect/protocol-grpc-web": esm("@connectrpc/connect/dist/esm/protocol-grpc-web"),
  "@bufbuild/protobuf": esm("@bufbuild/protobuf/dist/esm"),
  "@bufbuild/protobuf/codegenv2": esm("@bufbuild/protobuf/dist/esm/codegenv2"),
  "@bufbuild/protobuf/wkt": esm("@bufbuild/protobuf/dist/esm/wkt"),
  "@bufbuild/protobuf/wire": esm("@bufbuild/protobuf/dist/esm/wire"),
  "@bufbuild/protobuf/reflect": esm("@bufbuild/protobuf/dist/esm/reflect"),
};
// As a generator of code would write it, from the server's own description of its messages.
const generated = `
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
const bytes = Uint8Array.from(atob("${readFileSync(descriptors).toString("base64")}"), (c) => c.charCodeAt(0));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
export const KV = registry.getService("etcdserverpb.KV");
export const Watch = registry.getService("etcdserverpb.Watch");
`;
const html = `<!doctype html><title>a page</title><script type="importmap">${JSON.stringify({ imports })}</script>`;

const other = createServer((_, answer) => answer.writeHead(200, { "Content-Type": "text/html" }).end(html));
await new Promise((resolve) => other.listen(Number(port), "127.0.0.1", resolve));
const browser = await launch(
  "--host-resolver-rules=MAP elsewhere.test 127.0.0.1",
  "--disable-features=LocalNetworkAccessChecks",
);
const javascript = (body) => ({ contentType: "text/javascript", body });

async function run({ code, elsewhere, lines }) {
  const context = await browser.newContext();
  const page = await open(context);
  const said = [];
  let changed = false;
  let enough;
  const all = new Promise((resolve) => (enough = resolve));
  page.on("console", (message) => {
    const is_said = message.type() === "log";
    said.push(is_said ? message.text() : `(${message.type()}) ${message.text()}`);
    changed ||= message.text().includes("ERR_NETWORK_CHANGED");
    if (said.filter((line) => !line.startsWith("(")).length >= lines) enough();
  });
  page.on("pageerror", (error) => {
    said.push(`(thrown) ${error.stack}`);
    enough();
  });
  await page.route(`**${location}/page`, (route) => route.fulfill({ contentType: "text/html", body: html }));
  await page.route("**/gen/rpc_pb.js", (route) => route.fulfill(javascript(generated)));
  await page.route(`**${location}/packages/**`, (route) => {
    const path = new URL(route.request().url()).pathname.split("/packages/")[1];
    return route.fulfill(javascript(readFileSync(join(packages, path), "utf8")));
  });
  const at = elsewhere ? `http://elsewhere.test:${port}/` : `${url}${location}/page`;
  await page.goto(at);
  const before = elsewhere ? `const keyport = ${JSON.stringify(url)};\n` : "";
  // What a page writes itself is known by its place.
  const module = before + code.replaceAll('"./gen/', `"${url}/gen/`);
  await page.evaluate((text) => {
    document.head.append(Object.assign(document.createElement("script"), { type: "module", textContent: text }));
  }, module);
  const deadline = setTimeout(enough, PATIENCE_MS);
  await all;
  clearTimeout(deadline);
  await context.close();
  return changed ? run({ code, elsewhere, lines }) : said;
}

try {
  for (const box of JSON.parse(readFileSync(boxes, "utf8"))) console.log(JSON.stringify(await run(box)));
} finally {
  await browser.close();
  other.close();
}
