// Warnings: what the log complains of, as it does, and found again.
import { readFile } from "node:fs/promises";

import { accessible, copied, expect, shortcut, test } from "../lib/test.ts";
import type { Server } from "../lib/server.ts";

/** The server says in its log that it was asked for this, as a warning. */
async function warn(server: Server, targets: string): Promise<void> {
  await server.call("PUT", "/debug/log", { level: "warn", targets });
}

test("warnings come by themselves, open, are found, and outlive a restart", async ({ page, server, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(server.page("overview"));
  await expect(page.getByRole("heading", { name: "Overview" })).toBeAttached();
  // On a machine that is busy there may be some already, such as of a disk that is slow: first it is as if there were none.
  await page.route("**/v3/warnings*", (route) => route.request().url().includes("watch") ? route.abort() : route.fulfill({ json: { warnings: [] } }));
  await shortcut(page, "g");
  await page.keyboard.press("e");
  await expect(page.getByRole("heading", { name: "Nothing to warn of" })).toBeVisible();
  await accessible(page);

  await page.unroute("**/v3/warnings*");
  await warn(server, "storage=debug");
  await page.goto("about:blank");
  await page.goto(server.page("warnings?find=changed"));
  await expect(page.getByRole("searchbox", { name: "Find in the lines" })).toHaveValue("changed");
  await warn(server, "raft=info");
  const lines = page.getByRole("list", { name: "Lines, the newest first" }).getByRole("listitem");
  await expect(lines).toHaveText([/warn.*changed what is written to the log.*raft=info/s, /storage=debug/]);
  const first = lines.nth(0).getByRole("button", { name: /changed what is written/ });
  await first.click();
  await expect(first).toHaveAttribute("aria-expanded", "true");
  await expect(lines.nth(0)).toContainText(/where.*log\.rs:\d+.*targets.*raft=info/s);
  await accessible(page);
  await lines.nth(0).getByRole("button", { name: "Copy as" }).click();
  await page.getByRole("menuitem", { name: "Copy line" }).click();
  await copied(page, /^\{(?=.*"level":\s*"warn")(?=.*"targets":\s*"raft=info").*\}$/s);

  await page.getByRole("searchbox", { name: "Find in the lines" }).fill("RAFT=info changed");
  await expect(lines).toHaveText([/targets.*raft=info/]);
  await expect(page).toHaveURL(/warnings\?find=RAFT/);
  await page.reload();
  await expect(lines).toHaveText([/targets.*raft=info/]);
  await page.getByLabel("Which lines").selectOption("errors");
  await expect(page.getByText("No line is like that.")).toBeVisible();
  await accessible(page);
  await page.getByLabel("Which lines").selectOption("all");
  await page.getByRole("searchbox", { name: "Find in the lines" }).fill("changed");
  await expect(lines).toHaveCount(2);

  // The server forgets them when it restarts; who has seen them has them still, and sees what comes.
  await server.restart();
  await warn(server, "auth=debug");
  await expect(lines.nth(0)).toContainText("auth=debug");
  await expect(lines.filter({ hasText: "raft=info" })).toHaveCount(1);
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  const saved = (await readFile(await (await download).path(), "utf8")).trimEnd().split("\n").map((line) => (JSON.parse(line) as { targets?: string }).targets);
  expect(saved.indexOf("storage=debug")).toBeLessThan(saved.indexOf("auth=debug"));
});

test("a page that was not seen for a while misses no warning", async ({ page, server }) => {
  await warn(server, "before=debug");
  await page.goto(server.page("warnings?find=changed"));
  const lines = page.getByRole("list", { name: "Lines, the newest first" }).getByRole("listitem");
  await expect(lines).toHaveCount(1);
  // Its stream ends as that of a page in the background does, for as long as it is not seen.
  const hide = (isHidden: boolean) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
  await page.clock.install();
  await hide(true);
  await page.clock.runFor(15_000);
  await warn(server, "while=debug");
  await hide(false);
  await expect(lines).toHaveText([/while=debug/, /before=debug/]);
});
