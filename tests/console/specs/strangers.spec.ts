// Pages of other origins, in the browser of somebody who is logged in to the console: one of another site, and one of this machine at
// another port, to which the browser sends the cookie. Whatever they try, they read nothing and change nothing.
import { once } from "node:events";
import { type Server as HttpServer, createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { type Browser, chromium, expect, test as base } from "@playwright/test";

import { logIn } from "../lib/login.ts";
import { Server } from "../lib/server.ts";
import { rows } from "../lib/test.ts";

interface Met {
  /** Where pages of somebody else come from. */
  stranger: HttpServer;
  browser: Browser;
  server: Server;
}

const SECRET = "a secret that no page of others may read";
const ROOT = { authorization: `Basic ${Buffer.from("root:secret").toString("base64")}` };

const test = base.extend<Met>({
  stranger: async ({}, use) => {
    const server = createServer((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>of somebody else</title><body>"));
    await once(server.listen(0, "127.0.0.1"), "listening");
    await use(server);
    server.closeAllConnections();
    server.close();
  },
  // The browser's own care for machines like this one stays out of it: not all browsers have that.
  browser: async ({}, use) => {
    const { launchOptions } = base.info().project.use;
    const more = ["--host-resolver-rules=MAP elsewhere.test 127.0.0.1", "--disable-features=LocalNetworkAccessChecks"];
    const browser = await chromium.launch({ ...launchOptions, args: [...(launchOptions?.args ?? []), ...more] });
    await use(browser);
    await browser.close();
  },
  server: async ({}, use) => {
    const server = await Server.start();
    await server.put("app/secret", SECRET);
    await server.secure();
    await use(server);
    await server.end();
  },
});

/** Runs in the stranger's page: each way that a page has, and what it sees of the answer. */
async function attempts({ at, secret }: { at: string; secret: string }): Promise<Record<string, string>> {
  const LATE_MS = 30_000;
  const late = (): Promise<string> => new Promise((done) => setTimeout(() => done("late"), LATE_MS));
  const ask = (path: string, init: RequestInit = {}): Promise<string> =>
    fetch(at + path, { credentials: "include", ...init }).then(
      async (answer) => {
        if (answer.type === "opaque") return "opaque";
        return (await answer.text()).includes(secret) ? "read" : `answered ${answer.status}`;
      },
      () => "refused",
    );
  const put = JSON.stringify({ key: btoa("app/theirs"), value: btoa("theirs") });
  const opens = (channel: EventSource | WebSocket): Promise<string> =>
    new Promise<string>((told) => {
      channel.onopen = () => told("open");
      channel.onmessage = () => told("read");
      channel.onerror = () => told("refused");
    }).finally(() => channel.close());
  /** A form's body is `name=value`; this one is JSON as well. */
  const form = (path: string, method: string): Promise<string> =>
    new Promise((told) => {
      const [frame, form, input] = [document.createElement("iframe"), document.createElement("form"), document.createElement("input")];
      frame.name = `target-${Math.random()}`;
      Object.assign(form, { method, enctype: "text/plain", target: frame.name, action: at + path });
      Object.assign(input, { name: put.slice(0, -2), value: '"}' });
      document.body.append(frame, form);
      form.append(input);
      frame.addEventListener("load", () => {
        let seen = "sent";
        try {
          if (frame.contentDocument?.body.textContent?.includes(secret)) seen = "read";
        } catch {
          // It may not even look.
        }
        told(seen);
      }, { once: true });
      form.submit();
    });
  const loads = (tag: "script" | "img", path: string): Promise<string> =>
    new Promise((told) => {
      const element = Object.assign(document.createElement(tag), { src: at + path });
      element.addEventListener("load", () => told("loaded"));
      element.addEventListener("error", () => told("refused"));
      document.body.append(element);
    });
  /** The console in a frame: somebody might click in it without knowing. */
  const framed = (): Promise<string> =>
    new Promise((told) => {
      const frame = Object.assign(document.createElement("iframe"), { src: `${at}/ui/` });
      frame.addEventListener("load", () => {
        // Of a page that is not shown the browser makes one of its own; nobody sees into either.
        told(frame.contentDocument === null ? "nobody sees into it" : "open");
      });
      document.body.append(frame);
    });
  const json = { "content-type": "application/json" };
  const web = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" };
  const ways: Record<string, () => Promise<string>> = {
    "read a key": () => ask("/v3/keys/app/secret"),
    "read a key, not looking": () => ask("/v3/keys/app/secret", { mode: "no-cors" }),
    "range": () => ask("/v3/kv/range", { method: "POST", body: JSON.stringify({ key: btoa("app/secret") }) }),
    "who is logged in": () => ask("/v3/session"),
    "put a key": () => ask("/v3/keys/app/theirs", { method: "PUT", body: "theirs" }),
    "delete a key": () => ask("/v3/keys/app/secret", { method: "DELETE" }),
    "post, as a form might": () => ask("/v3/kv/put", { method: "POST", body: put }),
    "post, not looking": () => ask("/v3/kv/put", { method: "POST", body: put, mode: "no-cors" }),
    "post of JSON": () => ask("/v3/kv/put", { method: "POST", body: put, headers: json }),
    "gRPC-Web": () => ask("/etcdserverpb.KV/Put", { method: "POST", body: new Uint8Array(5), headers: web }),
    "turn authentication off": () => ask("/v3/authentication", { method: "PUT", body: '{"enabled":false}' }),
    "log in": () => ask("/v3/session", { method: "POST", body: '{"name":"root","password":"secret"}' }),
    "log out": () => ask("/v3/session", { method: "DELETE" }),
    "events": () => opens(new EventSource(`${at}/v3/keys/app/secret?initial=true`, { withCredentials: true })),
    "socket": () => opens(new WebSocket(`${at.replace("http", "ws")}/v3/keys/app/secret`)),
    "socket of a watch": () => opens(new WebSocket(`${at.replace("http", "ws")}/v3/watch`)),
    "form": () => form("/v3/kv/put", "POST"),
    "form that reads": () => form("/v3/keys/app/secret", "GET"),
    "script": () => loads("script", "/v3/keys/app/secret"),
    "image": () => loads("img", "/v3/keys/app/secret"),
    "frame": framed,
  };
  const came: Record<string, string> = {};
  for (const [name, way] of Object.entries(ways)) came[name] = await Promise.race([way(), late()]);
  return came;
}

const NOTHING: Record<string, string> = {
  "read a key": "refused", "read a key, not looking": "opaque", "range": "refused", "who is logged in": "refused", "put a key": "refused",
  "delete a key": "refused", "post, as a form might": "refused", "post, not looking": "opaque", "post of JSON": "refused", "gRPC-Web": "refused",
  "turn authentication off": "refused", "log in": "refused", "log out": "refused", "events": "refused", "socket": "refused",
  "socket of a watch": "refused", "form": "sent", "form that reads": "sent", "script": "refused", "image": "refused", "frame": "nobody sees into it",
};

test("a page of another origin gets nothing and changes nothing, while somebody is logged in to the console", async ({ browser, server, stranger }) => {
  const context = await browser.newContext({ reducedMotion: "reduce" });
  const own = await context.newPage();
  await own.goto(server.page("keys/app/secret"));
  await logIn(own, { user: "root", password: "secret" });
  await expect(own.getByLabel("The value")).toHaveText(SECRET);
  const revision = async (): Promise<string> => ((await server.call("GET", "/v3/keys?limit=1", undefined, ROOT)) as { revision: string }).revision;
  const before = await revision();

  const { port } = stranger.address() as AddressInfo;
  for (const host of ["elsewhere.test", "127.0.0.1"]) {
    const page = await context.newPage();
    await page.goto(`http://${host}:${port}/`);
    expect(await page.evaluate(attempts, { at: server.url, secret: SECRET }), host).toEqual(NOTHING);
    expect(page.frames().map((frame) => frame.url()).filter((url) => url.startsWith(`${server.url}/ui/`)), "the console in a frame").toEqual([]);
    // In a window of its own, too: it has one, and does not see into it.
    const [opened] = await Promise.all([context.waitForEvent("page"), page.evaluate((url) => { Object.assign(window, { other: window.open(url) }); }, server.page("keys/app/secret"))]);
    await expect(opened.locator("main")).toBeVisible();
    expect(await page.evaluate(() => {
      try {
        return String((window as unknown as { other: Window }).other.document.title);
      } catch {
        return "refused";
      }
    }), host).toBe("refused");
    await opened.close();
    await page.close();
  }

  // The console goes on as it was: logged in, live, and with all that there was.
  expect(await revision()).toBe(before);
  expect(((await server.call("GET", "/v3/authentication", undefined, ROOT)) as { enabled: boolean }).enabled).toBe(true);
  await server.call("POST", "/v3/keys:batch", { operations: [{ put: { key: "app/own", value: "x" } }] }, ROOT);
  await expect(rows(own)).toHaveCount(2);
  await context.close();
});

test("what they try works for a page of the console's own origin", async ({ browser, server }) => {
  // So that they fail by being strangers, and not by mistake.
  const context = await browser.newContext({ reducedMotion: "reduce" });
  const page = await context.newPage();
  await page.goto(`${server.url}/version`);
  expect((await context.request.post(`${server.url}/v3/session`, { data: { name: "root", password: "secret" } })).status()).toBe(200);
  const came = await page.evaluate(attempts, { at: server.url, secret: SECRET });
  expect(came).toMatchObject({
    "read a key": "read", "range": expect.stringMatching(/^answered 200$/), "put a key": "answered 201", "delete a key": "answered 204",
    "post, as a form might": "answered 200", "turn authentication off": "answered 204",
    "events": expect.stringMatching(/^(open|read)$/), "socket": expect.stringMatching(/^(open|read)$/), "socket of a watch": "open",
  });
  await context.close();
});
