// Requests for resources, by `fetch`: usage `resources.mjs node|page URL ROWS`, in Node.js itself or in a page of a browser. ROWS is
// a file with a list of requests; each is made in its turn, and a line of JSON says what came of it: status, headers, and the
// body in base64. A row with `until` is a stream: once `first` is there, the request `meanwhile` is made, and it is read until
// `until` is. `{NAME}` in a path stands for what an earlier row has saved of its answer.
import { readFileSync } from "node:fs";
import { launch, open } from "./browser.mjs";

// Runs in a page, too, so all that it needs is in it.
async function all({ base, rows }) {
  const saved = {};
  const named = (path) => path.replace(/\{(\w+)\}/g, (_, name) => saved[name]);
  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const ask = ({ method, path, headers, body }, signal) =>
    fetch(base + named(path), { method, headers, body: body === null ? undefined : bytes(body), signal });
  const follow = async (row) => {
    const stop = new AbortController();
    const answer = await ask(row, stop.signal);
    const reader = answer.body.getReader();
    let text = "", told = row.meanwhile === null;
    while (!text.includes(row.until)) {
      const { done, value } = await reader.read();
      if (done) break;
      text += new TextDecoder().decode(value);
      if (!told && text.includes(row.first)) {
        told = true;
        await ask(row.meanwhile);
      }
    }
    stop.abort();
    return [answer, new TextEncoder().encode(text)];
  };
  const outcomes = [];
  for (const row of rows) {
    let answer, body;
    if (row.until === null) {
      answer = await ask(row);
      body = new Uint8Array(await answer.arrayBuffer());
    } else {
      [answer, body] = await follow(row);
    }
    if (row.save !== null) saved[row.save.toUpperCase()] = JSON.parse(new TextDecoder().decode(body))[row.save];
    outcomes.push({ status: answer.status, headers: Object.fromEntries(answer.headers), body: base64(body) });
  }
  return outcomes;
}

const [where, base, file] = process.argv.slice(2);
const rows = JSON.parse(readFileSync(file, "utf8"));
let outcomes;
if (where === "node") {
  outcomes = await all({ base, rows });
} else {
  const browser = await launch();
  try {
    const page = await open(browser);
    await page.goto(`${base}/version`); // a page of the same origin
    outcomes = await page.evaluate(all, { base, rows });
  } finally {
    await browser.close();
  }
}
for (const outcome of outcomes) console.log(JSON.stringify(outcome));
