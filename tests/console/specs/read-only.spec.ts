// `--console=read-only`: screens show all that there is, and offer nothing that changes anything, whoever looks at them.
import { type Page, type Request } from "@playwright/test";

import { accessible, expect, shortcut, test } from "../lib/test.ts";
import type { Server } from "../lib/server.ts";

test.use({ flags: ["--console=read-only"] });

/** Requests that might change something: all but reads, and what tells who one is. */
function changing(page: Page): string[] {
  const sent: string[] = [];
  const isRead = (request: Request): boolean => ["GET", "HEAD"].includes(request.method()) || request.url().endsWith("/v3/session");
  page.on("request", (request) => { if (!isRead(request)) sent.push(`${request.method()} ${request.url()}`); });
  return sent;
}

/** Buttons that do something are all that a screen has to do without: those that look, copy and close stay. */
async function offersNothing(page: Page, server: Server, at: string, shown: RegExp): Promise<void> {
  await page.goto("about:blank");
  await page.goto(server.page(at));
  const main = page.locator("main");
  await expect(main, at).toContainText(shown, { useInnerText: true });
  await expect(main.getByText("Read-only: this console shows, and changes nothing.")).toBeVisible();
  const deeds = /New|Add|Change|Remove|Delete|Edit|Save|Grant|Revoke|Keep alive|Release|Take out|Promote|Make leader|Defragment|Turn o|Password|password|Roles…|Import|Restore/;
  await expect(main.getByRole("button", { name: deeds }), at).toHaveCount(0);
  await expect(main.locator("input[type=file], input[type=password]"), at).toHaveCount(0);
  await accessible(page);
}

test("members, users, backup and all others are shown and not changed", async ({ page, server, context }) => {
  const sent = changing(page);
  await server.put("app/a", "1");
  expect((await fetch(`${server.url}/v3/locks/jobs/nightly?ttl=600`, { method: "POST", body: "me" })).status).toBe(201);
  await server.call("POST", "/v3/users", { name: "app", password: "p" });
  await server.call("POST", "/v3/roles", { name: "readers" });
  await server.call("POST", "/v3/roles/readers/permissions", { permission: "read", prefix: "app/" });
  await server.call("PUT", "/v3/users/app/roles/readers");
  await server.secure();
  expect((await context.request.post(`${server.url}/v3/session`, { data: { name: "root", password: "secret" } })).status()).toBe(200);
  const screens: [string, RegExp][] = [
    ["overview", /All is well/], ["members", /none may fail.*m1/s], ["users", /app.*readers.*What can this user do/s], ["backup", /Download a snapshot.*NDJSON/s],
    ["locks/jobs/nightly", /holds it/], ["leases", /1 lease/], ["warnings", /Nothing to warn of|\d lines?/], ["keys/app/a", /Changed at/], ["diff/app/", /keys? looked at/], ["watch?prefix=app/", /Waiting for a change/], ["console", /this console is read-only/], ["metrics?filter=has_leader", /etcd_server_has_leader/],
  ];
  for (const [at, shown] of screens) await offersNothing(page, server, at, shown);

  // Keys that open a dialog elsewhere open none.
  for (const at of ["members", "leases", "keys/app/a"]) {
    await page.goto(server.page(at));
    await expect(page.locator("main")).toContainText(at === "members" ? "m1" : at === "leases" ? "1 lease" : "Changed at");
    for (const key of ["n", "e"]) await shortcut(page, key);
    await expect(page.getByRole("dialog")).toHaveCount(0);
  }
  // What only looks is there: who may do what, a file of a subtree, a snapshot.
  await page.goto(server.page("users?user=app&key=app/a"));
  await expect(page.getByText("may read", { exact: true })).toBeVisible();
  await page.goto(server.page("backup?prefix=app/"));
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "JSON", exact: true }).click();
  expect((await download).suggestedFilename()).toBe("app.json");
  expect(sent).toEqual([]);
});
