// A session that ends while somebody works: what the page asks for by itself takes the keyboard from nobody who types.
import { type BrowserContext, type Locator, type Page } from "@playwright/test";

import type { Server } from "../lib/server.ts";
import { accessible, expect, test } from "../lib/test.ts";

const OVER = "The session is over: what the page shows is not kept up to date.";

async function begin(page: Page, server: Server, context: BrowserContext, at: string): Promise<void> {
  await server.secure();
  expect((await context.request.post(`${server.url}/v3/session`, { data: { name: "root", password: "secret" } })).status()).toBe(200);
  await page.goto(server.page(at));
}

function dialogOf(page: Page): Locator {
  return page.getByRole("dialog", { name: "Log in" });
}

/** The dialog is open: as root. */
async function enter(page: Page): Promise<void> {
  await dialogOf(page).getByLabel("Password").fill("secret");
  await dialogOf(page).getByRole("button", { name: "Log in" }).click();
  await expect(dialogOf(page)).toHaveCount(0);
  await expect(page.getByText(OVER)).toHaveCount(0);
}

function refused(page: Page, path: string): Promise<unknown> {
  return page.waitForResponse((response) => response.status() === 401 && new URL(response.url()).pathname === path);
}

test("completion goes without keys, says so, and leaves the keyboard where it is", async ({ page, server, context }) => {
  await server.put("app/a", "one");
  await begin(page, server, context, "console");
  const editor = page.getByRole("textbox", { name: "Calls, a line each" });
  await editor.press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.type("get app/");
  await expect(page.getByRole("option", { name: "app/a" })).toBeVisible();
  await page.keyboard.press("Escape");
  await context.clearCookies();
  const asked = refused(page, "/v3/keys");
  await page.keyboard.type("a");
  await asked;
  await expect(page.getByText(OVER)).toBeVisible();
  await page.keyboard.type(" --pre");
  // What is known without the server is offered still.
  await expect(page.getByRole("option", { name: /--prefix/ })).toBeVisible();
  await expect(editor).toBeFocused();
  await expect(dialogOf(page)).toHaveCount(0);
  await page.keyboard.type("fix");
  await page.keyboard.press("Escape");
  await accessible(page);
  await expect(editor).toHaveText("get app/a --prefix");
  // What somebody begins himself asks for the login.
  await page.keyboard.press("Control+Enter");
  await enter(page);
  await expect(page.getByRole("article", { name: "get app/a --prefix" }).getByLabel("Body of the answer")).toContainText("one");
});

test("what is asked again every few seconds waits, and goes on after the login", async ({ page, server, context }) => {
  await begin(page, server, context, "leases");
  const find = page.getByLabel("Find a lease by its id");
  await expect(page.getByText("There are no leases")).toBeVisible();
  await page.getByRole("button", { name: "Grant a lease" }).click();
  const grant = page.getByRole("dialog", { name: "Grant a lease" });
  await grant.getByRole("button", { name: "Grant" }).click();
  await expect(grant).toHaveCount(0);
  await find.click();
  await context.clearCookies();
  const asked = refused(page, "/v3/leases");
  await page.keyboard.type("no such");
  await asked;
  await expect(page.getByText(OVER)).toBeVisible();
  await page.keyboard.type(" id");
  await expect(find).toHaveValue("no such id");
  await expect(dialogOf(page)).toHaveCount(0);
  await accessible(page);
  const again = page.waitForResponse((response) => response.ok() && new URL(response.url()).pathname === "/v3/leases");
  await page.getByRole("main").getByRole("button", { name: "Log in" }).click();
  await enter(page);
  await again;
  await expect(find).toHaveValue("no such id");
});

test("a stream that ends with its session lets somebody write on", async ({ page, server, context }) => {
  await server.put("app/text", "before");
  await begin(page, server, context, "keys/app/text");
  await page.getByRole("button", { name: "Edit" }).click();
  const value = page.getByRole("textbox", { name: "The value" });
  await value.fill("typed ");
  await context.clearCookies();
  const asked = refused(page, "/v3/watch");
  await server.restart();
  await asked;
  await expect(page.getByText(OVER)).toBeVisible();
  await page.keyboard.type("with care");
  await expect(value).toHaveText("typed with care");
  await expect(dialogOf(page)).toHaveCount(0);
  // From here on nobody types: whatever wants to know something first asks for the login, be it before what is saved.
  await page.addLocatorHandler(dialogOf(page), () => enter(page));
  await page.getByRole("button", { name: "Save…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText(/^Saved at revision/)).toBeVisible();
  await accessible(page);
});

test("whoever does not want to log in is not asked again and again", async ({ page, server }) => {
  await server.secure();
  await page.goto(server.page("keys"));
  await expect(dialogOf(page)).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(dialogOf(page)).toHaveCount(0);
  const asked = refused(page, "/v3/leases");
  await page.goto(server.page("leases"));
  await asked;
  await expect(page.getByText("You are not logged in: what the page shows may be missing or old.")).toBeVisible();
  await expect(dialogOf(page)).toHaveCount(0);
  await accessible(page);
  await page.getByRole("main").getByRole("button", { name: "Log in" }).click();
  await dialogOf(page).getByLabel("User").fill("root");
  await enter(page);
  await expect(page.getByText("There are no leases")).toBeVisible();
});
