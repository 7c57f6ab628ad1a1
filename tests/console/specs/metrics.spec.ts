// Metrics: read live from the real server, found by words, opened to their series.
import { type Locator, type Page } from "@playwright/test";

import { accessible, expect, test } from "../lib/test.ts";

/** The row of a metric. */
function rowOf(page: Page, name: string): Locator {
  return page.getByRole("table", { name: "Metrics" }).getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });
}

test("all metrics, as they become more, found by words and by type", async ({ page, server }) => {
  await server.put("a", "1");
  await page.goto(server.page("metrics"));
  const put = rowOf(page, "etcd_mvcc_put_total");
  await expect(put.getByRole("cell")).toHaveText([/etcd_mvcc_put_total/, "counter", "1", /./, "–", ""]);
  await expect(page.getByRole("heading", { name: /^1\d\d metrics$/ })).toBeVisible();
  await server.put("a", "2");
  await server.put("a", "3");
  // By itself, within a reading.
  await expect(put.getByRole("cell").nth(2)).toHaveText("3");
  await accessible(page);

  await page.getByRole("searchbox", { name: "Find metrics" }).fill("WAL fsync");
  await expect(page).toHaveURL(/#\/metrics\?filter=WAL\+fsync$/);
  await expect(page.getByRole("table", { name: "Metrics" }).getByRole("row")).toHaveCount(2);
  const sync = rowOf(page, "etcd_disk_wal_fsync_duration_seconds");
  await expect(sync.getByRole("cell").nth(1)).toHaveText("histogram");
  await expect(sync.getByRole("cell").nth(4)).toHaveText(/^[\d.]+ (ms|µs|s), [\d.]+ (ms|µs|s)/);
  await page.getByRole("searchbox", { name: "Find metrics" }).fill("nothing is called so");
  await expect(page.getByText("No metric has all of these words")).toBeVisible();
  await page.getByRole("searchbox", { name: "Find metrics" }).fill("");
  await page.getByLabel("Which types").selectOption("histogram");
  await expect(page.getByRole("heading", { name: /^\d+ of 1\d\d metrics$/ })).toBeVisible();
  await expect(put).toHaveCount(0);
  await page.reload();
  await expect(sync).toBeVisible();
  await expect(page.getByLabel("Which types")).toHaveValue("histogram");
});

test("a metric opens to its series, and has an address", async ({ page, server }) => {
  await server.put("a", "1");
  await page.goto(server.page("metrics?filter=request_duration"));
  await page.getByRole("link", { name: "etcd_server_request_duration_seconds" }).click();
  await expect(page).toHaveURL(/#\/metrics\/etcd_server_request_duration_seconds\?filter=request_duration$/);
  const series = page.getByRole("table", { name: "Series of etcd_server_request_duration_seconds" });
  await expect(series.getByText('type="put"').first()).toBeVisible();
  for (const chart of ["A second", "Below"]) await expect(page.getByRole("figure").filter({ hasText: chart }).locator("canvas")).toBeAttached();
  // With the second reading there is a rate.
  await expect(page.getByRole("figure").filter({ hasText: "A second" }).locator("strong")).toHaveText(/\d/);
  await page.setViewportSize({ width: 390, height: 844 });
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await page.getByRole("link", { name: "Close" }).click();
  await expect(series).toHaveCount(0);
  await page.goto(server.page("metrics/there_is_no_such_metric"));
  await expect(page.getByText("There is no metric there_is_no_such_metric here.")).toBeVisible();
});

test("a page that is not seen asks for nothing, and one that is left neither", async ({ page, server }) => {
  let asked = 0;
  page.on("request", (request) => { if (new URL(request.url()).pathname === "/metrics") asked += 1; });
  await page.clock.install();
  const seconds = async (): Promise<number> => {
    const before = asked;
    for (let at = 0; at < 3; at += 1) {
      await page.clock.runFor(6_000);
      // What a reading would be asked for before is asked for by then.
      await page.evaluate(() => fetch("../version").then((answer) => answer.text()));
    }
    return asked - before;
  };
  // As long as one is under way there is no other, however much time goes by for the page.
  const goesOn = (): Promise<void> => expect.poll(seconds).toBeGreaterThan(0);
  await page.goto(server.page("metrics"));
  await expect(page.getByRole("table", { name: "Metrics" })).toBeVisible();
  await goesOn();
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  });
  // A reading that was under way may be counted yet.
  await seconds();
  expect(await seconds()).toBe(0);
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  });
  await goesOn();
  await page.goto(server.page("backup"));
  await expect(page.getByRole("heading", { name: "Backup" })).toBeVisible();
  await seconds();
  expect(await seconds()).toBe(0);
});

test("a server that is gone is said to be, and what was read stays", async ({ page, server }) => {
  await page.goto(server.page("metrics"));
  await expect(rowOf(page, "etcd_server_has_leader")).toBeVisible();
  await server.kill();
  await expect(page.getByText("The last reading failed")).toBeVisible();
  await expect(rowOf(page, "etcd_server_has_leader")).toBeVisible();
  await accessible(page);
  await server.restart();
  await expect(page.getByText("The last reading failed")).toHaveCount(0);
});
