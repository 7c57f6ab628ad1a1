// Many keys at once: chosen in the list, taken out as a file, moved, deleted.
import { readFile } from "node:fs/promises";

import { type Page } from "@playwright/test";

import { accessible, expect, rows, test } from "../lib/test.ts";

const row = (page: Page, name: string) => rows(page).filter({ hasText: new RegExp(`^${name}`) });
const box = (page: Page, name: string) => row(page, name).locator("[data-mark]");
const chosen = (page: Page) => page.getByRole("group", { name: "What is chosen" });
const selected = (page: Page) => rows(page).and(page.locator("[aria-selected=true]"));

test("rows are chosen by box, by stretch and by the keyboard", async ({ page, server }) => {
  for (const name of ["a", "b", "c/1", "c/2", "d", "e"]) await server.put(`app/${name}`, name);
  await page.goto(server.page("keys/app/"));
  await box(page, "b").click();
  await expect(chosen(page)).toContainText("1 key chosen");
  await row(page, "d").click({ modifiers: ["Shift"] });
  await expect(chosen(page)).toContainText("2 keys, 1 level of 2 keys chosen");
  await expect(selected(page)).toHaveText([/^b/, /^c\//, /^d/]);
  await row(page, "c/").click({ modifiers: ["Control"] });
  await expect(chosen(page)).toContainText("2 keys chosen");
  // Nothing was opened by all that.
  await expect(page).toHaveURL(/#\/keys\/app\/$/);
  await chosen(page).getByRole("button", { name: "Choose none" }).click();
  await expect(chosen(page)).toHaveCount(0);

  await page.getByRole("listbox").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Space");
  await page.keyboard.press("Shift+ArrowDown");
  await expect(selected(page)).toHaveText([/^a/, /^b/]);
  await page.keyboard.press("Control+a");
  await expect(chosen(page)).toContainText("4 keys, 1 level of 2 keys chosen");
  // What goes meanwhile is no longer among them.
  await server.call("DELETE", "/v3/keys/app/e");
  await expect(chosen(page)).toContainText("3 keys, 1 level of 2 keys chosen");
  await accessible(page);
  await page.keyboard.press("Escape");
  await expect(chosen(page)).toHaveCount(0);
});

test("what is chosen is exported as it is at one revision", async ({ page, server }) => {
  await server.call("POST", "/v3/leases", { id: 7, ttl: 600 });
  await server.put("app/a", "one", "?lease=7");
  await server.put("app/b", Uint8Array.of(255, 0));
  await server.put("app/c/1", "deep");
  await server.put("app/d", "not this one");
  await page.goto(server.page("keys/app/"));
  await box(page, "a").click();
  await row(page, "c/").click({ modifiers: ["Shift"] });
  const coming = page.waitForEvent("download");
  await chosen(page).getByRole("button", { name: "Export" }).click();
  const file = await (await coming).path();
  const lines = (await readFile(file, "utf8")).trim().split("\n").map((line) => JSON.parse(line) as Record<string, string>);
  expect(lines.map(({ key, value, value_b64 }) => [key, value ?? value_b64])).toEqual([["app/a", "one"], ["app/b", "/wA="], ["app/c/1", "deep"]]);
  expect(lines[0]).toMatchObject({ lease: "7", lease_granted_ttl: "600" });
});

test("what is chosen goes at once, or not at all if a key has changed", async ({ page, server }) => {
  for (const name of ["a", "b", "c/1", "c/2", "d"]) await server.put(`app/${name}`, name);
  await page.goto(server.page("keys/app/"));
  await box(page, "a").click();
  await row(page, "c/").click({ modifiers: ["Shift"] });
  await chosen(page).getByRole("button", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("It is one batch: all of it or nothing.");
  await accessible(page);
  await server.put("app/b", "changed meanwhile");
  await dialog.getByRole("textbox").fill("delete 4");
  await dialog.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(dialog.getByRole("alert")).toHaveText("A key has changed since it was seen. Nothing was done.");
  expect(await server.get("app/a")).toBe("a");
  await dialog.getByRole("button", { name: "Cancel" }).click();

  await chosen(page).getByRole("button", { name: "Delete…" }).click();
  await dialog.getByRole("textbox").fill("delete 4");
  await dialog.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await expect(rows(page)).toHaveText([/d/]);
  expect(await server.get("app/c/1")).toBeUndefined();
  await expect(chosen(page)).toHaveCount(0);
});

test("a level moves whole, with its leases, and nothing is written over", async ({ page, server }) => {
  await server.call("POST", "/v3/leases", { id: 7, ttl: 600 });
  await server.put("app/a", "one", "?lease=7");
  await server.put("app/b/ключ", Uint8Array.of(255, 0));
  await server.put("taken/a", "mine");
  await page.goto(server.page("keys/app/"));
  const dialog = page.getByRole("dialog");
  const look = async (onto: string): Promise<void> => {
    await page.getByRole("button", { name: "Move or copy all keys below app/" }).click();
    await dialog.getByLabel("New beginning").fill(onto);
    await dialog.getByRole("button", { name: "Look at it" }).click();
  };
  await look("taken/");
  await expect(dialog.getByRole("note")).toContainText("1 new name is taken");
  await expect(dialog.getByRole("listitem").first()).toHaveText("app/a → taken/a is taken");
  await expect(dialog.getByRole("button", { name: "Move", exact: true })).toBeDisabled();
  await accessible(page);
  await dialog.getByRole("button", { name: "Cancel" }).click();

  // Somebody changes one after it was looked at: nothing moves, and nothing of his is lost.
  await look("new/");
  await expect(dialog).toContainText("1 key keeps its lease.");
  await server.put("app/b/ключ", "his");
  await dialog.getByRole("button", { name: "Move", exact: true }).click();
  await expect(dialog.getByRole("alert")).toHaveText("A key has changed since it was seen. Nothing was done.");
  expect(await server.get("new/a")).toBeUndefined();
  await dialog.getByRole("button", { name: "Cancel" }).click();

  await look("new/");
  await dialog.getByRole("button", { name: "Move", exact: true }).click();
  await expect(page).toHaveURL(/#\/keys\/new\/$/);
  await expect(rows(page)).toHaveText([/a/, /b\//]);
  expect(await server.get("app/a")).toBeUndefined();
  expect(await server.get("new/b/ключ")).toBe("his");
  expect(await server.call("GET", "/v3/leases/7?keys=true")).toMatchObject({ keys: [expect.objectContaining({ key: "new/a" })] });
});

test("a key is copied under another name, also on a telephone", async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await server.put("app/a", "one");
  await page.goto(server.page("keys/app/a"));
  await page.getByRole("button", { name: "Move or copy the key" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("New beginning").fill("app/copy");
  await dialog.getByLabel("Copy them").check();
  await dialog.getByRole("button", { name: "Look at it" }).click();
  await dialog.getByRole("button", { name: "Copy", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("app/copy");
  expect(await server.get("app/a")).toBe("one");
  expect(await server.get("app/copy")).toBe("one");
  await page.goto(server.page("keys/app/"));
  await box(page, "copy").click();
  await expect(chosen(page)).toContainText("1 key chosen");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await accessible(page);
});

test.describe("read-only", () => {
  test.use({ flags: ["--console=read-only"] });
  test("what is chosen can be taken out, and nothing else", async ({ page, server }) => {
    await server.put("app/a", "one");
    await page.goto(server.page("keys/app/"));
    await box(page, "a").click();
    await expect(chosen(page).getByRole("button")).toHaveText(["Export", ""]);
  });
});
