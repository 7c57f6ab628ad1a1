// Guided tours: each of their steps is run on the real server, is answered as it says, and nothing is left.
import { type Locator, type Page } from "@playwright/test";

import { accessible, copied, expect, test } from "../lib/test.ts";

function step(page: Page, at: number): Locator {
  return page.getByRole("list", { name: "Steps" }).getByRole("listitem").nth(at);
}

/** Runs a step; it is over when it says that all is as it should be. */
async function runs(page: Page, at: number): Promise<void> {
  await step(page, at).getByRole("button", { name: /^Run/ }).press("Enter");
  await expect(step(page, at).getByText("as it should be")).toBeVisible();
}

const left = async (server: { call: (method: string, path: string) => Promise<unknown> }): Promise<unknown> => server.call("GET", "/v3/keys?prefix=tour/&recursive=true");

test("from the empty store to the first tour, by the keyboard", async ({ page, server, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(server.page("keys"));
  await page.getByRole("link", { name: "Take a tour" }).press("Enter");
  await expect(page.getByRole("list", { name: "Tours" }).getByRole("listitem")).toHaveCount(5);
  await accessible(page);
  await page.getByRole("link", { name: "Write, read, list" }).press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Write, read, list");
  await step(page, 0).getByRole("button", { name: "Copy as curl" }).click();
  await copied(page, new RegExp(`curl -s -X PUT --data-binary hello ${server.url}/v3/keys/tour/first/greeting$`));
  for (let at = 0; at < 5; at += 1) await runs(page, at);
  await expect(step(page, 1).getByLabel("Body of the answer")).toHaveText("hello");
  await expect(step(page, 3).getByLabel("Body of the answer")).toContainText('"prefix": "tour/first/db/"');
  await expect(step(page, 4).getByLabel("Body of the answer")).toContainText("postgres://db:5432");
  await accessible(page);
  expect(await server.get("tour/first/greeting")).toBe("hello");
  await runs(page, 5);
  expect(await left(server)).toMatchObject({ keys: [] });
  // What a tour runs is nothing that somebody has written.
  await page.goto(server.page("console"));
  await expect(page.getByRole("button", { name: "Earlier" })).toBeDisabled();
});

for (const [id, steps, shown] of [["swap", 6, "refused, as it should be"], ["lease", 7, "refused, as it should be"], ["lock", 6, "refused, as it should be"]] as const) {
  test(`the tour of ${id} goes as it says, and leaves nothing`, async ({ page, server }) => {
    await page.goto(server.page(`learn/${id}`));
    if (id !== "swap") await expect(step(page, id === "lease" ? 1 : 3).getByRole("button", { name: /^Run/ })).toBeDisabled();
    for (let at = 0; at < steps; at += 1) await runs(page, at);
    await expect(page.getByText(shown).first()).toBeVisible();
    await accessible(page);
    expect(await left(server)).toMatchObject({ keys: [] });
  });
}

test("a watch goes on while the next steps are run, and what is left is offered to be deleted", async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(server.page("learn/watch"));
  await step(page, 0).getByRole("button", { name: /^Run/ }).click();
  await expect(step(page, 0).getByLabel("Body of the answer")).toContainText("opened");
  await runs(page, 1);
  await expect(step(page, 0).getByLabel("Body of the answer")).toContainText("door");
  await expect(step(page, 0).getByRole("button", { name: /^Stop/ })).toBeVisible();
  await runs(page, 2);
  await expect(step(page, 0).getByText("as it should be")).toBeVisible();
  await runs(page, 3);
  await expect(step(page, 3).getByLabel("Body of the answer")).toContainText(/open.*shut/s);
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);

  await page.getByRole("link", { name: "All tours" }).click();
  await expect(page.getByText("The tour may have left keys below tour/watch/")).toBeVisible();
  await page.getByRole("link", { name: "Watch changes" }).click();
  await expect(page.getByText(/There are keys below.*already/)).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "Delete them" }).click();
  await expect(page.getByText("tour/watch/ is cleaned up")).toBeVisible();
  expect(await left(server)).toMatchObject({ keys: [] });
});

test.describe("read-only", () => {
  test.use({ flags: ["--console=read-only"] });
  test("steps that write are shown and not run", async ({ page, server }) => {
    const sent: string[] = [];
    page.on("request", (request) => { if (!["GET", "HEAD"].includes(request.method())) sent.push(request.url()); });
    await server.put("tour/first/greeting", "there already");
    await page.goto(server.page("learn/first"));
    await expect(page.getByText("Steps that write are shown here, and not run")).toBeVisible();
    await expect(step(page, 0)).toContainText("PUT /v3/keys/tour/first/greeting");
    for (const at of [0, 2, 5]) {
      await expect(step(page, at)).toContainText("Not run: this console is read-only.");
      await expect(step(page, at).getByRole("button", { name: /^Run/ })).toHaveCount(0);
    }
    await runs(page, 1);
    await expect(step(page, 1).getByLabel("Body of the answer")).toHaveText("there already");
    await accessible(page);
    expect(sent).toEqual([]);
  });
});
