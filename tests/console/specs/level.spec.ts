// A long level that changes faster than it is read: what somebody looks at stays where it is.
import { type Page } from "@playwright/test";

import { accessible, expect, rows, test } from "../lib/test.ts";

const name = (at: number): string => `flat/${String(at).padStart(6, "0")}`;
/** Keys of a page of the list. */
const PAGE = 1_000;

/** Pages of the list that are asked for, by whether each is the first. */
function asked(page: Page): boolean[] {
  const all: boolean[] = [];
  page.on("request", (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname === "/v3/keys") all.push(!searchParams.has("after"));
  });
  return all;
}

test("a list that begins anew keeps the place, the choice, the keyboard and what is typed", async ({ page, server }) => {
  await server.fill(2 * PAGE + 500, name);
  await page.goto(server.page(`keys/${name(300)}`));
  const list = page.getByRole("listbox", { name: "Keys and levels" });
  await page.getByRole("button", { name: "Edit" }).click();
  const value = page.getByRole("textbox", { name: "The value" });
  await value.fill("typed with care");
  await list.focus();
  await page.keyboard.press("j");
  const chosen = rows(page, { name: "000301" });
  await expect(chosen).toHaveAttribute("aria-selected", "true");
  const place = await list.evaluate((element) => element.scrollTop);
  expect(place).toBeGreaterThan(1_000);
  // The same element: it has not gone and come again.
  await list.evaluate((element) => { element.dataset.mark = "the same"; });

  // Those that are there are written again and again: that is no reason to ask for them.
  const lists = asked(page);
  for (let round = 0; round < 6; round += 1) await server.fill(PAGE, name);
  await server.put(`${name(302)}a`, "new");
  await expect(rows(page, { name: "000302a" })).toBeVisible();
  expect(lists).toEqual([]);

  // Far down, where nobody has been yet, more come than the page keeps for later.
  const anew = page.waitForResponse((response) => new URL(response.url()).pathname === "/v3/keys" && !response.url().includes("after="));
  await server.fill(6_000, (at) => `flat/9${String(at).padStart(6, "0")}`);
  await anew;
  await server.put(`${name(302)}b`, "newer");
  await expect(rows(page, { name: "000302b" })).toBeVisible();
  expect(lists).toContain(true);
  await expect(chosen).toHaveAttribute("aria-selected", "true");
  expect(await list.evaluate((element) => [element.dataset.mark, element.scrollTop, document.activeElement === element])).toEqual(["the same", place, true]);
  await expect(value).toHaveText("typed with care");
  await accessible(page);

  // And it is whole: each key once.
  await expect(async () => {
    await page.keyboard.press("End");
    await expect(page.getByText("8\u202f502 here")).toBeVisible({ timeout: 50 });
  }).toPass({ intervals: [20] });
});

test("what changes while more is loaded is not lost, and stands in the list once", async ({ page, server }) => {
  await server.fill(2 * PAGE, name);
  // The second page is held back until something has happened to the first.
  let release = (): void => undefined;
  const held = new Promise<void>((done) => { release = done; });
  await page.route(/\/v3\/keys\?.*after=/, async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(server.page("keys/flat/"));
  await expect(rows(page, { name: "000000" })).toBeVisible();
  const list = page.getByRole("listbox", { name: "Keys and levels" });
  await list.focus();
  const second = page.waitForRequest(/\/v3\/keys\?.*after=/);
  await page.keyboard.press("End");
  await second;
  await page.keyboard.press("Home");
  await server.put(`${name(0)}a`, "new");
  await server.call("DELETE", `/v3/keys/${name(1)}`);
  await server.put(`${name(PAGE + 1)}a`, "further down");
  release();
  await expect(page.getByText("2\u202f001 here")).toBeVisible();
  await expect(rows(page, { name: "000000a" })).toHaveCount(1);
  await expect(rows(page, { name: "000001" })).toHaveCount(0);
  await accessible(page);
});
