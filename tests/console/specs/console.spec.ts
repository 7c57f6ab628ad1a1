// The console's own console: calls of etcdctl and requests, run one by one or all, against the real server.
import { type Locator, type Page } from "@playwright/test";

import { logIn } from "../lib/login.ts";
import { accessible, expect, test } from "../lib/test.ts";

/** Where calls are written. */
function editorOf(page: Page): Locator {
  return page.getByRole("textbox", { name: "Calls, a line each" });
}

/** Writes calls in place of what is there. To type over what has colours, the browser would take them along, which the policy does not let it. */
async function write(page: Page, text: string): Promise<void> {
  await editorOf(page).press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
}

/** Writes calls, and runs all of them. */
async function runAll(page: Page, text: string): Promise<void> {
  await write(page, text);
  await page.getByRole("button", { name: "Run all" }).click();
}

/** What a call was answered with. */
function answerTo(page: Page, call: string): Locator {
  return page.getByRole("article", { name: call, exact: true });
}

test("commands and requests, with bytes as text", async ({ page, server }) => {
  await server.put("app/a", "one");
  await page.goto(server.page("console"));
  await expect(editorOf(page)).toContainText("A call a line");
  await expect(page.getByRole("heading", { name: "Nothing has been run yet" })).toBeVisible();
  await accessible(page);
  await runAll(page, [
    "put app/b 'two words' --prev-kv", "get app/ --prefix", "GET /v3/keys/app/b", "PUT /v3/keys/app/c", '{"port": 1}', "and a second line", "", "GET /v3/keys/app/c", 'POST /v3/kv/range {"key": "YXBwL2E="}', "",
    "lease grant 600", "lease list", "member list", "endpoint status", "alarm list", "user list", "role list", "del app/a", "compaction 3",
  ].join("\n"));
  await expect(answerTo(page, "compaction 3").getByRole("status")).toContainText("200 OK");
  for (const call of ["lease grant 600", "lease list", "member list", "endpoint status", "alarm list", "user list", "role list", "del app/a"]) {
    await expect(answerTo(page, call).getByRole("status"), call).toContainText(/200 OK · .* · \d+ ms/);
  }
  const range = answerTo(page, "get app/ --prefix").getByLabel("Body of the answer");
  await expect(range).toContainText('"value": "b25l"one');
  await expect(range).toContainText("two words");
  await expect(answerTo(page, "GET /v3/keys/app/b").getByLabel("Body of the answer")).toHaveText("two words");
  await expect(answerTo(page, "GET /v3/keys/app/c").getByLabel("Body of the answer")).toHaveText('{"port": 1}\nand a second line', { useInnerText: true });
  await expect(answerTo(page, 'POST /v3/kv/range {"key": "YXBwL2E="}').getByLabel("Body of the answer")).toContainText("app/a");
  await accessible(page);
  expect(await server.get("app/b")).toBe("two words");
  expect(await server.get("app/a")).toBeUndefined();
});

test("the call at the cursor alone, by the keyboard, and the first that fails ends a run", async ({ page, server }) => {
  await page.goto(server.page("console"));
  await write(page, "put run/first 1\nput run/second 2\n\nPUT /v3/keys/run/third\n3");
  await editorOf(page).press("Control+Enter");
  await expect(answerTo(page, "PUT /v3/keys/run/third").getByRole("status")).toContainText("201 Created");
  await editorOf(page).press("Control+Home");
  await editorOf(page).press("ArrowDown");
  await page.keyboard.press("Control+Enter");
  await expect(answerTo(page, "put run/second 2").getByRole("status")).toContainText("200 OK");
  expect([await server.get("run/first"), await server.get("run/second"), await server.get("run/third")]).toEqual([undefined, "2", "3"]);

  await write(page, "gte run/first\nput run/never 1");
  await page.keyboard.press("Control+Shift+Enter");
  await expect(answerTo(page, "gte run/first").getByRole("alert")).toContainText("is get meant?");
  await write(page, "GET /v3/keys/run/nobody\nput run/never 1");
  await page.keyboard.press("Control+Shift+Enter");
  await expect(answerTo(page, "GET /v3/keys/run/nobody").getByRole("status")).toContainText("404");
  await expect(page.getByRole("button", { name: "Stop" })).toBeDisabled();
  expect(await server.get("run/never")).toBeUndefined();
  await write(page, "# nothing but a word");
  await page.keyboard.press("Control+Enter");
  await expect(page.getByText("The cursor is on no call")).toBeVisible();
});

test("a watch ends after so many changes, or when it is stopped", async ({ page, server }) => {
  await page.goto(server.page("console"));
  await runAll(page, "watch seen/ --prefix --events 2\nput after/that 1");
  const answer = answerTo(page, "watch seen/ --prefix --events 2");
  await expect(answer.getByLabel("Body of the answer")).toContainText('"opened"');
  for (const name of ["a", "b", "c"]) await server.put(`seen/${name}`, name);
  await expect(answerTo(page, "put after/that 1").getByRole("status")).toContainText("200 OK");
  await expect(answer.getByRole("status")).toContainText("3 parts received");
  await expect(answer.getByLabel("Body of the answer")).toContainText("seen/b");
  await expect(answer.getByLabel("Body of the answer")).not.toContainText("seen/c");

  await runAll(page, "watch seen/ --prefix\nput never/that 1");
  await expect(answerTo(page, "watch seen/ --prefix").getByLabel("Body of the answer")).toContainText('"opened"');
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(answerTo(page, "watch seen/ --prefix").getByRole("status")).toContainText("stopped");
  await expect(page.getByRole("button", { name: "Stop" })).toBeDisabled();
  expect(await server.get("never/that")).toBeUndefined();
});

test("what may come next: commands, flags, paths, parameters and keys that are there", async ({ page, server }) => {
  await server.put("app/config/db", "1");
  await server.put("app/with space", "2");
  await page.goto(server.page("console"));
  // While more is asked for, what is shown cannot be chosen.
  const options = page.locator(".cm-tooltip-autocomplete:not(.cm-tooltip-autocomplete-disabled)").getByRole("option");
  const next = async (text: string): Promise<void> => {
    await page.keyboard.press("Escape");
    await write(page, "");
    await editorOf(page).pressSequentially(text);
  };
  await next("lease ti");
  await expect(options).toHaveText([/^lease timetolive/]);
  await next("get app/");
  await expect(options).toHaveText([/^app\/config\/level/, /^'app\/with space'key/]);
  await accessible(page);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(editorOf(page)).toHaveText("get 'app/with space'");
  await next("get app/ --keys");
  await expect(options).toHaveText([/^--keys-only/]);
  await next("GET /v3/statis");
  await expect(options).toHaveText([/^\/v3\/statistics/]);
  await next("GET /v3/keys?recur");
  await expect(options).toHaveText([/^recursive/]);
  await next("GET /v3/keys/app/w");
  await expect(options).toHaveText([/^app\/with%20space/]);
  await options.first().click();
  await expect(editorOf(page)).toHaveText("GET /v3/keys/app/with%20space");
  await page.keyboard.press("Control+Enter");
  await expect(answerTo(page, "GET /v3/keys/app/with%20space").getByLabel("Body of the answer")).toHaveText("2");
});

test("what was run is there after a reload, but for what may be a secret; a link has what is written", async ({ page, server, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(server.page("console"));
  await runAll(page, "get kept\nget app/password\nGET /v3/keys?limit=1");
  await expect(answerTo(page, "GET /v3/keys?limit=1").getByRole("status")).toContainText("200 OK");
  await page.reload();
  await page.getByRole("button", { name: "Earlier" }).click();
  await expect(page.getByRole("menuitem")).toHaveText(["GET /v3/keys?limit=1", "get kept", "Forget all of them"]);
  await page.getByRole("menuitem", { name: "get kept" }).click();
  await expect(editorOf(page)).toContainText("get kept");
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain("password");

  await write(page, "get a b\n# and more: ?&#%");
  await page.getByRole("button", { name: "Link" }).click();
  await expect(page.getByText("Copied link")).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toContain("#/console?text=");
  await page.goto("about:blank");
  await page.goto(link);
  await expect(editorOf(page)).toHaveText("get a b# and more: ?&#%");
  await expect(page.getByRole("article")).toHaveCount(0);
  await write(page, "PUT /v3/users/a/password {}");
  await page.getByRole("button", { name: "Link" }).click();
  await expect(page.getByText("an address is no place for them")).toBeVisible();
  await page.getByRole("button", { name: "Earlier" }).click();
  await page.getByRole("menuitem", { name: "Forget all of them" }).click();
  await expect(page.getByRole("button", { name: "Earlier" })).toBeDisabled();
});

test("a session that has ended is asked for again, and the call is made", async ({ page, server, context }) => {
  await server.secure();
  expect((await context.request.post(`${server.url}/v3/session`, { data: { name: "root", password: "secret" } })).status()).toBe(200);
  await page.goto(server.page("console"));
  // Nothing of it asks the server for keys, which would want the login before.
  await write(page, "GET /v3/users");
  await context.clearCookies();
  await page.keyboard.press("Control+Enter");
  await logIn(page, { password: "secret" });
  await expect(answerTo(page, "GET /v3/users").getByLabel("Body of the answer")).toContainText("root");
});

test.describe("read-only", () => {
  test.use({ flags: ["--console=read-only"] });
  test("what may change something is not sent, and it is said why", async ({ page, server }) => {
    await server.put("app/a", "one");
    const sent: string[] = [];
    page.on("request", (request) => { if (request.method() !== "GET") sent.push(`${request.method()} ${new URL(request.url()).pathname}`); });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(server.page("console"));
    for (const call of ["put app/a two", "DELETE /v3/keys/app/a", "POST /v3/kv/txn {}"]) {
      await runAll(page, call);
      await expect(answerTo(page, call).getByRole("alert")).toContainText("This console is read-only");
    }
    await runAll(page, "get app/a");
    await expect(answerTo(page, "get app/a").getByLabel("Body of the answer")).toContainText("app/a");
    await accessible(page);
    expect(sent).toEqual(["POST /v3/kv/range"]);
    expect(await server.get("app/a")).toBe("one");
  });
});
