// Calls that are kept by a name, in the browser.
import { type Page } from "@playwright/test";

import { accessible, expect, test } from "../lib/test.ts";

const editor = (page: Page) => page.getByRole("textbox", { name: "Calls, a line each" });
const dialog = (page: Page) => page.getByRole("dialog", { name: "Snippets" });

async function write(page: Page, text: string): Promise<void> {
  await editor(page).press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
}

test("saved by a name, opened, added, replaced, taken away and brought back, over reloads", async ({ page, server }) => {
  await server.put("app/a", "one");
  await page.goto(server.page("console"));
  await write(page, "get app/ --prefix\nmember list");
  const open = page.getByRole("button", { name: "Snippets" });
  await open.press("Enter");
  await expect(dialog(page)).toContainText("None is kept yet.");
  await expect(dialog(page).getByRole("button", { name: "Save" })).toBeDisabled();
  await dialog(page).getByLabel("Keep what is written as").fill("all of app");
  await page.keyboard.press("Enter");
  const kept = dialog(page).getByRole("list", { name: "What is kept" }).getByRole("listitem");
  await expect(kept).toHaveText([/all of app.*get app\/ --prefix …/]);
  await accessible(page);
  await page.keyboard.press("Escape");
  await page.reload();

  await write(page, "alarm list");
  await open.click();
  await dialog(page).getByLabel("Keep what is written as").fill("alarms");
  await dialog(page).getByRole("button", { name: "Save" }).click();
  await expect(kept).toHaveCount(2);
  await dialog(page).getByRole("button", { name: "Add all of app" }).click();
  await expect(dialog(page)).toHaveCount(0);
  await expect(editor(page).locator(".cm-line")).toHaveText(["alarm list", "", "get app/ --prefix", "member list", ""]);
  await open.click();
  await dialog(page).getByRole("button", { name: "Open all of app" }).click();
  await expect(editor(page).locator(".cm-line")).toHaveText(["get app/ --prefix", "member list", ""]);
  await page.getByRole("button", { name: "Run all" }).click();
  await expect(page.getByRole("article", { name: "get app/ --prefix" }).getByLabel("Body of the answer")).toContainText("app/a");

  // One of its name takes its place.
  await write(page, "get other");
  await open.click();
  await dialog(page).getByLabel("Keep what is written as").fill("alarms");
  await expect(dialog(page)).toContainText("It takes the place of the one of this name.");
  await page.keyboard.press("Enter");
  await expect(kept).toHaveText([/alarms.*get other/, /all of app/]);
  await dialog(page).getByRole("button", { name: "Delete alarms" }).click();
  await expect(kept).toHaveCount(1);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Undo" }).last().click();
  await page.reload();
  await open.click();
  await expect(kept).toHaveCount(2);
});

test("no secrets, no more than there is room for, and what another page keeps is here", async ({ page, server, context }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(server.page("console"));
  await page.evaluate(() => localStorage.setItem("keyport.console.snippets", JSON.stringify(Array.from({ length: 60 }, (_, at) => ({ name: `number ${at}`, text: at === 0 ? "put token x" : "get a" })))));
  await page.reload();
  await write(page, "PUT /v3/users/a/password\n{}");
  await page.getByRole("button", { name: "Snippets" }).click();
  const kept = dialog(page).getByRole("list", { name: "What is kept" }).getByRole("listitem");
  await expect(kept).toHaveCount(40);
  await expect(kept.filter({ hasText: "token" })).toHaveCount(0);
  await dialog(page).getByLabel("Keep what is written as").fill("number 1");
  await expect(dialog(page)).toContainText("A password or a token may be in it");
  await expect(dialog(page).getByRole("button", { name: "Save" })).toBeDisabled();
  await page.keyboard.press("Escape");
  await write(page, "get b");
  await page.getByRole("button", { name: "Snippets" }).click();
  await dialog(page).getByLabel("Keep what is written as").fill("one more");
  await expect(dialog(page)).toContainText("There are 40, and that is all there may be");
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);

  const other = await context.newPage();
  await other.goto(server.page("console"));
  await other.getByRole("button", { name: "Snippets" }).click();
  await dialog(other).getByRole("button", { name: "Delete number 9", exact: true }).click();
  await expect(kept).toHaveCount(39);
  await expect(dialog(page).getByRole("button", { name: "Save" })).toBeEnabled();
});
