// The explorer in a browser: what sends requests and what does not, and that numbers keep their digits.
// Usage `explorer.mjs URL`; succeeds or says what is wrong.
import assert from "node:assert/strict";
import { launch } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  const sent = [];
  page.on("request", (request) => {
    const path = new URL(request.url()).pathname;
    if (!["/docs", "/docs/script.js", "/docs/style.css", "/openapi.json"].includes(path)) sent.push({ path, body: request.postData() });
  });
  const document = await (await fetch(`${url}/openapi.json`)).json();
  const open = async (path, method) => {
    await page.goto(`${url}/docs#${document.paths[path][method].operationId}`);
    await page.waitForFunction((text) => globalThis.document.querySelector("main .path")?.textContent.endsWith(text), path);
  };
  // Whatever a key has begun is done when the page has come to rest; a request of its own comes after those.
  const settled = async () => {
    await page.evaluate(() => fetch("/version").then((answer) => answer.text()));
    return sent.splice(0).filter(({ path }) => path !== "/version");
  };

  // Enter in the converter, or in a field, sends nothing.
  await open("/v3/kv/deleterange", "post");
  await page.getByText("Base64 converter").click();
  await page.getByLabel("Text", { exact: true }).fill("foo");
  assert.equal(await page.getByLabel("Base64", { exact: true }).inputValue(), "Zm9v");
  for (const label of ["Text", "Base64"]) {
    for (const key of ["Enter", "Control+Enter"]) await page.getByLabel(label, { exact: true }).press(key);
  }
  assert.deepEqual(await settled(), []);
  await open("/health", "get");
  await page.getByLabel("exclude").press("Enter");
  assert.deepEqual(await settled(), []);

  // Send does, and Ctrl+Enter in the form.
  await open("/v3/kv/range", "post");
  const body = page.getByLabel("Body");
  await body.fill('{"key":"Zm9v"}');
  const answered = () => page.waitForFunction(() => /bytes$/.test(globalThis.document.querySelector("main [role=status].good")?.textContent));
  await page.getByRole("button", { name: "Send" }).click();
  await answered();
  assert.deepEqual(await settled(), [{ path: "/v3/kv/range", body: '{"key":"Zm9v"}' }]);
  await body.press("Control+Enter");
  await answered();
  assert.equal((await settled()).length, 1);

  // Format changes white space alone.
  const format = async (text) => {
    await body.fill(text);
    await page.getByRole("button", { name: "Format" }).click();
    return body.inputValue();
  };
  assert.equal(
    await format('{"ID":7587848390525747211,"a":[1.10,-0,{},[ ],"x\\u0041\\",:{"],"b":{"2":null,"1":1E400,"1":true}}'),
    `{
  "ID": 7587848390525747211,
  "a": [
    1.10,
    -0,
    {},
    [],
    "x\\u0041\\",:{"
  ],
  "b": {
    "2": null,
    "1": 1E400,
    "1": true
  }
}`,
  );
  assert.equal(await format('{"a": }'), '{"a": }');

  // Answers are shown as they came, with their bytes as text.
  await page.route("**/v3/kv/range", (route) => route.fulfill({
    contentType: "application/json",
    body: '{"header":{"revision":9223372036854775807},"kvs":[{"key":"Zm9v"}],"more":false}',
  }));
  await body.fill("{}");
  await page.getByRole("button", { name: "Send" }).click();
  const answer = page.getByLabel("Answer").locator("pre").last();
  await page.waitForFunction(() => globalThis.document.querySelector("[aria-label=Answer] .decoded"));
  const text = await answer.textContent();
  assert.match(text, /"revision": 9223372036854775807\n/);
  assert.match(text, /"key": "Zm9v"foo\n/);

  // Every operation has its page, whatever it answers with.
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of Object.keys(item)) await open(path, method);
  }
  assert.deepEqual(problems, []);
} finally {
  await browser.close();
}
