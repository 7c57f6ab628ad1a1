// Many pages of the console at the same time, all of them seen: a browser has six connections for them over HTTP/1.1, and each screen
// that is live would have one or two for good.
import type { Page } from "@playwright/test";

import { accessible, expect, rows, test } from "../lib/test.ts";

const LOOKS = "Looks every 3 s";

test("eight pages, all of them seen: each loads, each hears of changes, and none keeps another from its connections", async ({ page, context, server }) => {
  test.setTimeout(480_000);
  await server.put("app/a", "before");
  const screens = ["overview", "keys/app/a", "overview", "watch?prefix=app/", "keys/app/a", "members", "keys/app/", "overview"];
  const pages: Page[] = [];
  for (const at of screens) {
    const one = pages.length === 0 ? page : await context.newPage();
    pages.push(one);
    await one.goto(server.page(at));
    await expect(one.getByRole("heading", { level: 1 }).first()).toBeAttached();
  }
  const of = (at: number): Page => pages[at] ?? page;
  const hidden = await Promise.all(pages.map((one) => one.evaluate(() => document.hidden)));
  expect(hidden).toEqual(screens.map(() => false));
  for (const at of [1, 4]) await expect(of(at).getByLabel("The value")).toHaveText("before");
  await expect(rows(of(6))).toHaveCount(1);

  // Those that were used last are live, and the others say that they are not.
  for (const at of [6, 7]) await expect(of(at).getByText(LOOKS)).toHaveCount(0);
  for (const at of [0, 1, 2, 3, 4, 5]) await expect(of(at).getByText(LOOKS)).toBeVisible();
  await server.put("app/a", "after");
  await server.put("app/b", "new");
  for (const at of [1, 4]) await expect(of(at).getByLabel("The value")).toHaveText("after");
  await expect(rows(of(6))).toHaveCount(2);
  const changes = of(3).getByRole("listbox", { name: "Changes, the newest first" }).getByRole("option");
  await expect(changes).toHaveText([/app\/b/, /app\/a/]);
  await accessible(of(1));

  // The page that is used is live, and whatever it asks for beside its streams is answered.
  await of(1).getByRole("tab", { name: "History" }).click();
  await expect(of(1).getByText(LOOKS)).toHaveCount(0);
  await expect(of(1).getByText("created", { exact: true })).toBeVisible();
  await expect(of(6).getByText(LOOKS)).toBeVisible();
  await expect(of(7).getByText(LOOKS)).toHaveCount(0);

  // Nothing was missed, and nothing came twice.
  await server.put("app/c", "newer");
  await expect(changes).toHaveText([/app\/c/, /app\/b/, /app\/a/]);

  for (const at of [0, 1, 2, 4, 5, 7]) await of(at).close();
  for (const at of [3, 6]) await expect(of(at).getByText(LOOKS)).toHaveCount(0);
  await server.put("app/d", "newest");
  await expect(rows(of(6))).toHaveCount(4);
  await expect(changes).toHaveText([/app\/d/, /app\/c/, /app\/b/, /app\/a/]);
});
