// Levels by something else than slashes, and no levels at all.
import { type Page } from "@playwright/test";

import { accessible, expect, rows, test } from "../lib/test.ts";

async function choose(page: Page, now: string, then: string): Promise<void> {
  await page.getByRole("button", { name: now, exact: true }).click();
  await page.getByRole("menuitem", { name: then, exact: true }).click();
  await expect(page.getByRole("button", { name: then, exact: true })).toBeVisible();
}

test("levels by colons: a link has them, and they are remembered", async ({ page, server }) => {
  for (const name of ["users:1:name", "users:1:mail", "users:2:name", "plain/a"]) await server.put(name, name);
  await page.goto(server.page("keys"));
  await expect(rows(page)).toHaveText([/^plain\/1/, /^users:1:mail/, /^users:1:name/, /^users:2:name/]);
  await choose(page, "Levels by /", "Levels by :");
  await expect(rows(page)).toHaveText([/^plain\/a/, /^users:3/]);
  await accessible(page);
  await rows(page, { name: "users:" }).click();
  await expect(rows(page)).toHaveText([/^1:2/, /^2:1/]);
  // What changes is put where it belongs.
  await server.put("users:3:name", "new");
  await server.put("users:2:mail", "new");
  await expect(rows(page)).toHaveText([/^1:2/, /^2:2/, /^3:1/]);
  await rows(page).nth(1).click();
  await rows(page, { name: "name" }).click();
  await expect(page.getByLabel("The value")).toHaveText("users:2:name");
  const link = page.url();
  expect(link).toContain("by=%3A");
  await expect(page.getByRole("navigation", { name: "Prefix" }).getByRole("link")).toHaveText(["All keys", "users:", "2:"]);

  await page.goto(server.page("keys"));
  await expect(rows(page)).toHaveText([/^plain\/a/, /^users:5/]);
  await choose(page, "Levels by :", "Levels by /");
  await page.reload();
  await expect(page.getByRole("button", { name: "Levels by /", exact: true })).toBeVisible();
  // The link says how it is read, whatever is remembered.
  await page.goto(link);
  await page.reload();
  await expect(rows(page)).toHaveText([/^mail/, /^name/]);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("users:2:name");
});

test("no levels: all keys are one list, also on a telephone", async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const name of ["a/b/c", "a/d", "e|f"]) await server.put(name, name);
  await page.goto(server.page("keys"));
  await choose(page, "Levels by /", "No levels: all keys");
  await expect(rows(page)).toHaveCount(3);
  await server.put("a/b/new", "new");
  await expect(rows(page)).toHaveText([/a\/b\/c/, /a\/b\/new/, /a\/d/, /e\|f/]);
  await accessible(page);
  await rows(page, { name: "a/b/new" }).click();
  await expect(page.getByLabel("The value")).toHaveText("new");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await page.goto(server.page("keys"));
  await choose(page, "No levels: all keys", "Levels by |");
  await rows(page, { name: "e|" }).click();
  await expect(rows(page)).toHaveText([/^f/]);
});
