// Differences: what has become of the keys below a prefix between two revisions.
import { type Locator, type Page } from "@playwright/test";

import { accessible, copied, expect, shortcut, test } from "../lib/test.ts";

/** What is different, a line each. */
function found(page: Page, named: RegExp = /./): Locator {
  return page.getByRole("list", { name: "What is different" }).getByRole("listitem").filter({ hasText: named });
}

test("keys are added, changed and deleted, each opens its difference, and a link leads to it", async ({ page, server, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  for (const [key, value] of [["app/config", '{"port":80,"host":"a"}'], ["app/gone", "was here"], ["app/same", "s"], ["app/again", "twice"], ["elsewhere", "x"]] as const) await server.put(key, value);
  await server.put("app/ключ", new Uint8Array([0xff, 0, 1]));
  const from = await server.put("elsewhere", "y");
  await server.put("app/config", '{"port":8080,"host":"a"}');
  await server.call("DELETE", "/v3/keys/app/gone");
  await server.put("app/again", "twice");
  await server.put("app/ключ", new Uint8Array([0xff, 0, 2]));
  const to = await server.put("app/new/one", "fresh");
  await server.put("app/later", "too late");

  // From the level, by the keyboard: now, and the revision before.
  await page.goto(server.page("keys/app/"));
  await page.getByRole("button", { name: "Differences below app/" }).press("Enter");
  await expect(found(page)).toHaveText([/added.*app\/later/]);
  await page.getByLabel("From revision").fill(from);
  await page.getByLabel("To revision").fill(to);
  await page.keyboard.press("Enter");
  await expect(found(page)).toHaveText([/changed.*app\/again/, /changed.*app\/config/, /deleted.*app\/gone/, /added.*app\/new\/one/, /changed.*app\/ключ/]);
  await expect(page).toHaveURL(new RegExp(`diff/app/\\?from=${from}&to=${to}$`));
  await expect(page.getByRole("status").filter({ hasText: "looked at" })).toHaveText(/1 added\s*3 changed\s*1 deleted\s*6 keys looked at/);

  const diff = async (key: RegExp): Promise<Locator> => {
    const one = found(page, key);
    const open = one.getByRole("button", { name: "Diff" });
    await open.focus();
    await page.keyboard.press("Enter");
    await expect(open).toHaveAttribute("aria-expanded", "true");
    return one;
  };
  const config = (await diff(/app\/config/)).getByRole("region");
  await expect(config).toContainText(/removed:\s+"port": 80,.*added:\s+"port": 8080,/s);
  await expect(config).toContainText('"host": "a"');
  await expect((await diff(/app\/gone/)).getByRole("region")).toContainText("removed: was here");
  await expect((await diff(/app\/new/)).getByRole("region")).toContainText("added: fresh");
  await expect((await diff(/app\/ключ/)).getByRole("region")).toContainText("ff 00 02");
  await expect(await diff(/app\/again/)).toContainText("The value is the same: it was written again.");
  await accessible(page);

  await page.getByRole("button", { name: "Copy as" }).click();
  await page.getByRole("menuitem", { name: "Copy as etcdctl" }).click();
  await copied(page, new RegExp(`diff <\\(etcdctl .*--rev ${from} -- app/\\) <\\(.*--rev ${to} -- app/\\)`));
  await page.getByRole("button", { name: "Copy as" }).click();
  await page.getByRole("menuitem", { name: "Copy link" }).click();
  await copied(page, /#\/diff\/app\//);
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await page.goto("about:blank");
  await page.goto(link);
  await expect(found(page)).toHaveCount(5);
  await found(page, /app\/gone/).getByRole("link").click();
  await expect(page.getByLabel("The value")).toHaveText("was here");
});

test("what has been compacted is said, with the oldest that can be read", async ({ page, server }) => {
  await server.put("a/1", "one");
  const old = await server.put("a/2", "two");
  const kept = await server.put("a/3", "three");
  await server.put("a/1", "other");
  await server.call("POST", "/v3/kv/compaction", { revision: kept });
  await page.goto(server.page(`diff/a/?from=${old}`));
  await expect(page.getByRole("heading", { name: "It has been compacted" })).toBeVisible();
  await expect(page.getByRole("alert")).toContainText(`The oldest revision that can be read is ${kept}`);
  await accessible(page);
  await page.getByRole("button", { name: `Compare from ${kept} on` }).click();
  await expect(found(page)).toHaveText([/changed.*a\/1/]);
  // What is older than the other, what is to come, and what is none.
  await page.getByLabel("To revision").fill("1");
  await expect(page.getByText("The first of the two is the older one.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Compare", exact: true })).toBeDisabled();
  await page.getByLabel("To revision").fill("x");
  await expect(page.getByText("A revision is a number from 1 on.")).toBeVisible();
  await page.getByLabel("To revision").fill("999999");
  await page.getByRole("button", { name: "Compare", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("future revision");
  await page.getByLabel("To revision").fill("");
  await page.getByLabel("From revision").fill("999998");
  await page.getByRole("button", { name: "From when" }).click();
  await page.getByRole("menuitem", { name: "The oldest that can be read" }).click();
  await expect(page.getByLabel("From revision")).toHaveValue(kept);
  await page.getByRole("button", { name: "Compare", exact: true }).click();
  await expect(found(page)).toHaveCount(1);
});

test("of many it shows some, and looks on when that is wanted", async ({ page, server }) => {
  const from = await server.put("other", "x");
  await server.fill(6_000, (at) => `many/${String(at).padStart(6, "0")}`);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(server.page(`diff/many/?from=${from}`));
  const on = page.getByRole("button", { name: "Look on" });
  await expect(on).toBeVisible();
  await expect(found(page)).toHaveCount(200);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await accessible(page);
  await on.press("Enter");
  await expect(found(page)).toHaveCount(400);
  await expect(found(page).last()).toContainText("many/000399");
  await expect(page.getByText("400 keys looked at so far")).toBeVisible();
  // Whoever goes elsewhere and comes back begins anew.
  await page.goto(server.page("overview"));
  await expect(page.getByRole("heading", { name: "Overview" })).toBeAttached();
  await page.goBack();
  await expect(found(page)).toHaveCount(200);
  await page.getByLabel("Below").fill("nothing/");
  await page.getByLabel("Below").press("Enter");
  await expect(page.getByRole("heading", { name: "Nothing is different" })).toBeVisible();
  await accessible(page);
});

test("who may not read it is told so", async ({ page, server, context }) => {
  await server.put("app/a", "1");
  await server.call("POST", "/v3/users", { name: "app", password: "p" });
  await server.call("POST", "/v3/roles", { name: "readers" });
  await server.call("POST", "/v3/roles/readers/permissions", { permission: "read", prefix: "app/" });
  await server.call("PUT", "/v3/users/app/roles/readers");
  await server.secure();
  expect((await context.request.post(`${server.url}/v3/session`, { data: { name: "app", password: "p" } })).status()).toBe(200);
  await page.goto(server.page("diff"));
  await expect(page.getByRole("heading", { name: "Your roles do not permit it" })).toBeVisible();
  await accessible(page);
  await page.getByLabel("Below").fill("app/");
  await page.getByLabel("Below").press("Enter");
  await expect(page.getByText(/keys? looked at/)).toBeVisible();
  await shortcut(page, "/");
  await expect(page.getByLabel("Below")).toBeFocused();
});
