// Watch: what changes, as it does; what is not kept, and what is missing, is said.
import { readFile } from "node:fs/promises";

import { accessible, expect, test } from "../lib/test.ts";
import { Meter, TIMED } from "../lib/work.ts";

/** Rows that the page may have at once. */
const MOST_ROWS = 120;
/** Of a change, where 5,000 come in a second. */
const BUSY_SECONDS = 1 / 5_000;
/** The longest that somebody may wait for the page on a quiet machine. */
const DEAF_MS = 200;

test("several prefixes in one stream, before and after, filters, pause, export", async ({ page, server }) => {
  const streams: string[] = [];
  page.on("request", (request) => { if (request.url().includes("/v3/watch?")) streams.push(request.url()); });
  await page.goto(server.page("watch"));
  await expect(page.getByRole("heading", { name: "Watch keys change" })).toBeVisible();
  await accessible(page);
  const field = page.getByLabel("A prefix to watch");
  for (const prefix of ["app/", "web/"]) {
    await field.fill(prefix);
    await field.press("Enter");
  }
  await expect(page).toHaveURL(/watch\?prefix=app\/&prefix=web\/$/);
  await page.reload();
  const opened = page.waitForResponse(/\/v3\/watch\?/);
  await expect(page.getByRole("list", { name: "Watched" }).getByRole("listitem")).toHaveCount(2);
  await opened;
  expect(streams.at(-1)).toMatch(/prefix_b64=.*prefix_b64=/);

  await server.put("app/a", "one");
  await server.put("elsewhere", "unseen");
  await server.put("web/b", "x");
  await server.put("app/a", "two");
  await server.call("DELETE", "/v3/keys/web/b");
  const rows = page.getByRole("listbox", { name: "Changes, the newest first" }).getByRole("option");
  await expect(rows).toHaveText([/delete.*web\/b/, /put.*app\/a.*two/, /put.*web\/b/, /put.*app\/a.*one/]);
  await rows.nth(1).click();
  await expect(page.getByRole("region", { name: "Before and after" })).toContainText("removed: one");
  await expect(page.getByRole("region", { name: "Before and after" })).toContainText("added: two");
  await accessible(page);
  await page.keyboard.press("Escape");

  await page.getByLabel("Which changes").selectOption("deletes");
  await expect(rows).toHaveText([/delete.*web\/b/]);
  await expect(page).toHaveURL(/show=deletes/);
  await expect.poll(() => streams.at(-1)).toContain("filters=noput");
  await page.getByLabel("Which changes").selectOption("all");

  await page.getByRole("button", { name: "Pause" }).click();
  await server.put("app/c", "while paused");
  await expect(page.getByText("Paused: 1 newer one")).toBeVisible();
  await expect(rows).toHaveCount(4);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(rows).toHaveCount(5);
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  const lines = (await readFile(await (await download).path(), "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(["put", "put", "put", "delete", "put"]);
});

test("a restart leaves a mark and nothing out; what is compacted is said to be lost", async ({ page, server }) => {
  await server.put("app/a", "1");
  await server.put("app/a", "2");
  await server.put("app/a", "3");
  await server.call("POST", "/v3/kv/compaction", { revision: "3", physical: true });
  await page.goto(server.page("watch?prefix=app/&from=2"));
  const rows = page.getByRole("listbox", { name: "Changes, the newest first" }).getByRole("option");
  await expect(rows.filter({ hasText: "have been compacted" })).toHaveCount(1);
  await expect(rows.filter({ hasText: /put.*app\/a.*3/ })).toHaveCount(1);
  await server.restart();
  await server.put("app/b", "after the restart");
  await expect(rows.filter({ hasText: "The connection was lost" })).not.toHaveCount(0);
  await expect(rows.filter({ hasText: "after the restart" })).toHaveCount(1);
  await accessible(page);
});

test("5,000 changes a second leave the page responsive, and what is dropped is counted", async ({ page, server }) => {
  const rowsShown = page.getByRole("listbox", { name: "Changes, the newest first" }).getByRole("option");
  const opened = page.waitForResponse(/\/v3\/watch\?/);
  await page.goto(server.page("watch?prefix=load/"));
  await expect(page.getByText("Waiting for a change")).toBeVisible();
  await opened;
  await server.put("load/first", "x");
  await expect(page.getByText("1 change, 1 shown")).toBeVisible();
  // The longest time that the page was deaf, while it listens to all of it.
  await page.evaluate(() => {
    const page = window as unknown as { deaf: number; frames: number };
    [page.deaf, page.frames] = [0, 0];
    const frame = (): void => {
      page.frames += 1;
      requestAnimationFrame(frame);
    };
    frame();
    let before = performance.now();
    const look = (): void => {
      page.deaf = Math.max(page.deaf, performance.now() - before);
      before = performance.now();
      setTimeout(look, 0);
    };
    look();
  });
  const COUNT = 20_000;
  const meter = await Meter.of(page);
  const work = await meter.during(async () => {
    for (let from = 0; from < COUNT; from += 500) {
      const operations = Array.from({ length: 500 }, (_, at) => ({ put: { key: `load/${at}`, value: JSON.stringify({ at: from + at }) } }));
      await Promise.all([server.call("POST", "/v3/keys:batch", { operations }), new Promise((done) => setTimeout(done, 100))]);
    }
    await expect(page.getByText(/^20.001 changes, 5.000 shown$/)).toBeVisible();
    return page.evaluate(() => (window as unknown as { frames: number }).frames);
  });
  await expect(page.getByText(/^15.001 older ones dropped/)).toBeVisible();
  expect(await rowsShown.count()).toBeLessThan(MOST_ROWS);
  // All changes of a frame are shown at once, and one costs less than 5,000 a second leave for it.
  expect(work.layouts).toBeLessThan(3 * work.result + 100);
  expect(work.busy / COUNT).toBeLessThan(TIMED ? BUSY_SECONDS / 2 : BUSY_SECONDS);
  const deaf = await page.evaluate(() => (window as unknown as { deaf: number }).deaf);
  if (TIMED) expect(deaf).toBeLessThan(DEAF_MS);
  console.log(`a change takes ${((work.busy / COUNT) * 1_000).toFixed(3)} ms of the page; it was deaf for ${deaf.toFixed(0)} ms at most, in ${work.result} frames`);
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByText("Paused")).toBeVisible();
});

test("changes that come while nobody looks are counted in the title of the page", async ({ page, server }) => {
  const opened = page.waitForResponse(/\/v3\/watch\?/);
  await page.goto(server.page("watch?prefix=app/"));
  await opened;
  const looks = (isHidden: boolean) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
  await server.put("app/seen", "1");
  await expect(page.getByRole("option", { name: /app\/seen/ })).toBeVisible();
  await expect(page).toHaveTitle("Watch · Keyport");
  await looks(true);
  await server.put("app/a", "1");
  await server.put("app/b", "1");
  await expect(page).toHaveTitle("(2) Watch · Keyport");
  await looks(false);
  await expect(page).toHaveTitle("Watch · Keyport");
});
