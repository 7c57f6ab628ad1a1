// Keys that somebody comes back to: bookmarks, and those he was at of late.
import { logIn } from "../lib/login.ts";
import { accessible, expect, rows, test } from "../lib/test.ts";

test("bookmarks and recent keys are kept in the browser, in the list and in the palette", async ({ page, server }) => {
  await server.put("app/a", "one");
  await server.put("app/ключ", "two");
  await page.goto(server.page("keys/app/"));
  const star = page.getByRole("button", { name: "Bookmark app/", exact: true });
  await expect(page.getByRole("region", { name: "Recent keys" })).toHaveCount(0);
  await star.click();
  await expect(star).toHaveAttribute("aria-pressed", "true");
  await rows(page, { name: "ключ" }).click();
  await expect(page.getByLabel("The value")).toHaveText("two");
  await page.goto(server.page("keys/app/nothing"));
  await expect(page.getByText("There is no such key")).toBeVisible();

  await page.goto(server.page("keys"));
  await page.reload();
  // A key that is not there is none that somebody was at.
  await expect(page.getByRole("region", { name: "Recent keys" }).getByRole("link")).toHaveText(["app/ключ"]);
  await accessible(page);
  await page.getByRole("region", { name: "Bookmarks" }).getByRole("link", { name: "app/" }).click();
  await expect(rows(page)).toHaveCount(2);

  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("recent key");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("app/ключ");

  await page.goto(server.page("keys"));
  await page.getByRole("button", { name: "Forget them" }).click();
  await page.getByRole("button", { name: "Take the bookmark of app/ away" }).click();
  await page.reload();
  await expect(rows(page)).toHaveCount(1);
  await expect(page.getByRole("region", { name: /Bookmarks|Recent keys/ })).toHaveCount(0);
});

test("on a telephone they are in a menu", async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await server.put("registry/pods/default/a", "one");
  await page.goto(server.page("keys/registry/pods/default/a"));
  await expect(page.getByLabel("The value")).toHaveText("one");
  await page.goto(server.page("keys/registry/pods/default/"));
  await page.getByRole("button", { name: "Bookmark registry/pods/default/" }).click();
  await page.getByRole("button", { name: "Bookmarks and recent keys" }).click();
  await expect(page.getByRole("menuitem")).toHaveText(["registry/pods/default/", "registry/pods/default/a"]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await page.keyboard.press("Escape");
  await accessible(page);
});

test("who logs out leaves none of the keys that he was at", async ({ page, server }) => {
  await server.put("app/secret", "one");
  await server.secure();
  await page.goto(server.page("keys/app/secret"));
  await logIn(page, { user: "root", password: "secret" });
  await expect(page.getByLabel("The value")).toHaveText("one");
  await expect.poll(() => page.evaluate(() => localStorage.getItem("keyport.keys"))).toContain("app/secret");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("log out");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.evaluate(() => localStorage.getItem("keyport.keys"))).not.toContain("app/secret");
});
