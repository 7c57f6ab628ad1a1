// The API explorer: what a newcomer and an integrator did with it, and what must not happen to them.
import type { Page, Request } from "@playwright/test";

import { accessible, copied, expect, test } from "../lib/test.ts";

interface Document {
  paths: Record<string, Record<string, { operationId: string; summary: string }>>;
}

async function operations(url: string): Promise<{ id: string; summary: string }[]> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Document;
  return Object.values(document.paths).flatMap((item) => Object.values(item).map(({ operationId, summary }) => ({ id: operationId, summary })));
}

/** Whether a request is one that the explorer was told to send. */
function isSent(request: Request): boolean {
  const { pathname } = new URL(request.url());
  return !pathname.startsWith("/ui/") && !["/openapi.json", "/v3/session", "/version"].includes(pathname);
}

/** Requests that were sent since it was asked last, once those that a key has begun are there: one of its own comes after them. */
function sending(page: Page): () => Promise<{ path: string; body: string | null }[]> {
  const sent: { path: string; body: string | null }[] = [];
  page.on("request", (request) => { if (isSent(request)) sent.push({ path: new URL(request.url()).pathname, body: request.postData() }); });
  return async () => {
    await page.evaluate(() => fetch("/version").then((answer) => answer.text()));
    return sent.splice(0);
  };
}

const answer = (page: Page) => page.getByRole("region", { name: "Answer" });
const status = (page: Page) => answer(page).getByRole("status");
const send = (page: Page) => page.getByRole("button", { name: "Send", exact: true }).click();

test("nothing but Send sends", async ({ page, server }) => {
  const sent = sending(page);
  await page.goto(server.page("explorer/kvDeleteRange"));
  await page.getByText("Base64 converter").click();
  await page.getByLabel("Text", { exact: true }).fill("foo");
  await expect(page.getByLabel("Base64", { exact: true })).toHaveValue("Zm9v");
  for (const label of ["Text", "Base64"]) {
    for (const key of ["Enter", "Control+Enter"]) await page.getByLabel(label, { exact: true }).press(key);
  }
  await page.goto(server.page("explorer/operationsHealth"));
  await page.getByLabel("exclude").first().press("Enter");
  await page.goto(server.page("explorer/keysDelete"));
  await page.getByLabel("key", { exact: true }).fill("k");
  await page.getByLabel("key", { exact: true }).press("Enter");
  expect(await sent()).toEqual([]);
  await page.getByLabel("key", { exact: true }).press("Control+Enter");
  await expect(status(page)).toContainText("404");
  expect(await sent()).toEqual([{ path: "/v3/keys/k", body: null }]);
});

test("numbers keep their digits, in what is sent and in what comes", async ({ page, server }) => {
  await page.goto(server.page("explorer/kvRange"));
  const body = page.getByLabel("Body", { exact: true });
  await body.fill('{"ID":7587848390525747211,"a":[1.10,-0,{},[ ],"x\\u0041\\",:{"],"b":{"2":null,"1":1E400}}');
  await page.getByRole("button", { name: "Format" }).click();
  await expect(body).toHaveValue(`{
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
    "1": 1E400
  }
}`);
  await body.fill('{"a": }');
  await page.getByRole("button", { name: "Format" }).click();
  await expect(body).toHaveValue('{"a": }');
  await page.route("**/v3/kv/range", (route) => route.fulfill({
    contentType: "application/json",
    body: '{"header":{"revision":9223372036854775807},"kvs":[{"key":"Zm9v"}],"more":false}',
  }));
  await body.fill("{}");
  await send(page);
  const shown = page.getByLabel("Body of the answer");
  await expect(shown).toContainText('"revision": 9223372036854775807');
  await expect(shown).toContainText('"key": "Zm9v"foo');
});

test("bytes are edited as text, with the base64 beside them", async ({ page, server }) => {
  await page.goto(server.page("explorer/kvPut"));
  const bytes = page.getByRole("group", { name: "Bytes of it, as text" });
  await bytes.getByLabel("key", { exact: true }).fill("Grüße/1");
  await bytes.getByLabel("value", { exact: true }).fill("eins");
  await expect(bytes).toContainText("R3LDvMOfZS8x");
  await expect(page.getByLabel("Body", { exact: true })).toHaveValue(/"key": "R3LDvMOfZS8x"/);
  await send(page);
  await expect(status(page)).toContainText("200");
  expect(await server.get("Grüße/1")).toBe("eins");
  await page.goto(server.page("explorer/kvRange"));
  await bytes.getByLabel("key", { exact: true }).fill("Grüße/");
  await page.getByRole("button", { name: "Key as prefix" }).click();
  await send(page);
  await expect(page.getByLabel("Body of the answer")).toContainText("Grüße/1");
});

test("a watch works untouched, stops, and works again", async ({ page, server }) => {
  await page.goto(server.page("explorer/watchEvents"));
  await expect(page.getByText(/more, rarely needed/)).toBeVisible();
  await expect(page.getByLabel("noput")).not.toBeVisible();
  const stop = page.getByRole("button", { name: "Stop" });
  for (const round of [1, 2, 3]) {
    await send(page);
    await expect(stop).toBeEnabled();
    await expect(status(page)).toContainText("200");
    await server.put("k", `round ${round}`);
    await expect(page.getByLabel("Body of the answer")).toContainText(`round ${round}`);
    // A second Send takes the place of the first, and Stop stops it.
    if (round === 2) await send(page);
    await stop.click();
    await expect(status(page)).toContainText("stopped");
    await expect(stop).toBeDisabled();
  }
  await page.getByText(/more, rarely needed/).click();
  await page.getByLabel("noput").check();
  await page.getByLabel("nodelete").check();
  await expect(page.getByLabel("curl command")).toContainText("filters=noput&filters=nodelete");
});

test("where one is, and where one was", async ({ page, server }) => {
  await page.goto(server.page("explorer/keysPut"));
  const marked = page.locator("[aria-current=page]").filter({ hasText: "key" });
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Writes a key");
  const pane = page.getByRole("article").locator("..");
  await pane.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  expect(await pane.evaluate((element) => element.scrollTop)).toBeGreaterThan(0);
  await page.getByRole("link", { name: /Reads a key/ }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Reads a key");
  expect(await pane.evaluate((element) => element.scrollTop)).toBe(0);
  await expect(marked).toHaveText(/Reads a key/);
  await page.goBack();
  await expect(marked).toHaveText(/Writes a key/);
  await page.getByRole("link", { name: "Skip to the content" }).press("Enter");
  await expect(page.locator("main")).toBeFocused();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Writes a key");
});

test("a link to an operation leads to it, and it is marked where it stands in the list", async ({ page, server }) => {
  const list = page.getByRole("navigation", { name: "Operations" });
  const marked = list.locator("[aria-current=page]");
  // Those that the list begins with, and those at its end.
  for (const [id, summary] of [["kvPut", "Stores a value under a key"], ["membersRemove", "Removes a member"], ["keysBatch", "Writes and removes many keys at one revision"]] as const) {
    await page.goto("about:blank");
    await page.goto(server.page(`explorer/${id}`));
    await expect(marked).toHaveCount(1);
    await expect(marked).toContainText(summary);
    await expect(marked).toHaveAttribute("href", `#/explorer/${id}`);
    await expect(marked).toBeInViewport();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(summary);
    await expect(page).toHaveTitle(`${summary} · Keyport API`);
  }
  // One that there is none of marks nothing.
  await page.goto(server.page("explorer/nothingOfThisKind"));
  await expect(page.getByRole("heading", { name: "Where to begin" })).toBeVisible();
  await expect(marked).toHaveCount(0);
});

test("operations are told by what they do, and found by words", async ({ page, server }) => {
  await page.goto(server.page("explorer"));
  await expect(page.getByRole("heading", { name: "Where to begin" })).toBeVisible();
  const list = page.getByRole("navigation", { name: "Operations" });
  const of = (tag: string) => list.getByRole("region", { name: tag, exact: true }).getByRole("link");
  await expect(of("KV").nth(0)).toHaveAttribute("title", "POST /v3/kv/put");
  await expect(of("KV").nth(1)).toHaveAttribute("title", "POST /v3/kv/range");
  await expect(of("Lease").last()).toContainText("older path");
  const find = list.getByRole("searchbox");
  await find.fill("delete a key");
  await expect(of("Keys").filter({ hasText: "Removes a key" })).toBeVisible();
  await expect(of("Leases").filter({ hasText: "Grants" })).toHaveCount(0);
  await find.fill("nothing of this kind");
  await expect(list.getByText("Nothing has all of these words.")).toBeVisible();
});

test("only what an operation answers stands there at once, and curl is copied", async ({ page, server, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(server.page("explorer/keysBatch"));
  const article = page.getByRole("article");
  await expect(article.getByText("A condition does not hold: nothing was done.")).toBeVisible();
  await expect(article.getByText("What calls may be answered with in general")).toBeVisible();
  await expect(article.getByText("499", { exact: true })).not.toBeVisible();
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await copied(page, new RegExp(`curl -N '${server.url}/v3/keys:batch'`));
});

test("every operation has a page, none of which is wider than a telephone", async ({ page, server }) => {
  test.slow();
  await page.setViewportSize({ width: 390, height: 844 });
  const all = await operations(server.url);
  expect(all.length).toBeGreaterThan(100);
  await page.goto(server.page("explorer"));
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  const wide = await page.evaluate(async (operations) => {
    const frame = () => new Promise(requestAnimationFrame);
    const found: string[] = [];
    for (const { id, summary } of operations) {
      window.location.hash = `#/explorer/${id}`;
      const until = Date.now() + 15_000;
      while (document.querySelector("h1")?.textContent !== summary && Date.now() < until) await frame();
      if (document.querySelector("h1")?.textContent !== summary) found.push(`${id} has no page`);
      // What is folded may be wide as well, and what is folded in it.
      for (let depth = 0; depth < 2; depth += 1) {
        for (const details of document.querySelectorAll("main details")) (details as HTMLDetailsElement).open = true;
        await frame();
        await frame();
      }
      const main = document.querySelector("main");
      const beyond = [...(main?.querySelectorAll("*") ?? [])].filter((each) => each.getBoundingClientRect().right > 390.5);
      if (document.documentElement.scrollWidth > 390 || (main?.scrollWidth ?? 0) > 390 || beyond.length > 0) {
        found.push(`${id}: ${beyond.slice(0, 3).map((each) => each.outerHTML.slice(0, 80)).join(", ")}`);
      }
    }
    return found;
  }, all);
  expect(wide).toEqual([]);
  // The list folds away, and comes back.
  const list = page.getByRole("navigation", { name: "Operations" });
  await expect(list.getByRole("link").first()).not.toBeVisible();
  await page.getByRole("button", { name: "All operations" }).click();
  await expect(list.getByRole("link").first()).toBeVisible();
});

test("/docs leads here, and nothing keeps anybody from using it", async ({ page, server }) => {
  await page.goto(`${server.url}/docs`);
  await expect(page.getByRole("heading", { name: "Where to begin" })).toBeVisible();
  await accessible(page);
  await page.goto(server.page("explorer/kvPut"));
  await send(page);
  await expect(status(page)).toContainText("200");
  await accessible(page);
});

test.describe("read-only", () => {
  test.use({ flags: ["--console=read-only"] });
  test("what changes is not offered", async ({ page, server }) => {
    await page.goto(server.page("explorer/keysPut"));
    await expect(page.getByRole("button", { name: "Send", exact: true })).toBeDisabled();
    await expect(page.getByText("This console is read-only.")).toBeVisible();
    await page.goto(server.page("explorer/keysList"));
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Lists keys");
    await expect(page.getByRole("button", { name: "Send", exact: true })).toBeEnabled();
  });
});
