// What is copied as a command does what the page would have done: a shell runs it against the server.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { type Locator, type Page } from "@playwright/test";

import { accessible, copied, expect, test } from "../lib/test.ts";

const exec = promisify(execFile);

/** Copies a command from where it is offered, and tells it. */
async function command(page: Page, at: Locator, name: string, like: RegExp): Promise<string> {
  await at.getByRole("button", { name: "Copy as" }).click();
  await page.getByRole("menuitem", { name }).click();
  await copied(page, like);
  return page.evaluate(() => navigator.clipboard.readText());
}

test.beforeEach(({ context }) => context.grantPermissions(["clipboard-read", "clipboard-write"]));

test("a new key with its time to live, or on its lease", async ({ page, server }) => {
  await server.call("POST", "/v3/leases", { ttl: 600, id: 255 });
  await page.goto(server.page("keys"));
  await page.getByRole("button", { name: "New key" }).first().click();
  const form = page.getByRole("dialog", { name: "New key" });
  await form.getByLabel("Key").fill("app/it's new");
  await form.getByLabel("Time to live").fill("90");
  await exec("bash", ["-c", await command(page, form, "Copy as curl", /ttl=90/)]);
  const lease = (await fetch(`${server.url}/v3/keys/app/it's%20new`)).headers.get("keyport-lease") ?? "";
  expect(await server.call("GET", `/v3/leases/${lease}`)).toMatchObject({ granted_ttl: "90" });
  expect(await command(page, form, "Copy as etcdctl", /lease grant 90/)).toContain(`put --lease="$id" -- 'app/it'\\''s new'`);

  await form.getByLabel("Key").fill("app/bound");
  await form.getByLabel("Time to live").fill("");
  await form.getByLabel("Or a lease that there is").fill("ff");
  await exec("bash", ["-c", await command(page, form, "Copy as curl", /lease=255/)]);
  expect((await fetch(`${server.url}/v3/keys/app/bound`)).headers.get("keyport-lease")).toBe("255");
  await command(page, form, "Copy as etcdctl", /put --lease=ff -- app\/bound/);
});

test("an import that grants leases", async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(server.page("backup"));
  const line = (key: string, lease?: string) => JSON.stringify({ key, value: "it's up", ...(lease !== undefined && { lease, lease_granted_ttl: lease === "7" ? "600" : "60", lease_ttl: "5" }) });
  const buffer = Buffer.from([line("here/m1", "7"), line("here/m2", "7"), line("here/m3", "9"), line("here/m4")].join("\n"));
  await page.getByLabel("A file: NDJSON, JSON or YAML").setInputFiles({ name: "here.ndjson", mimeType: "", buffer });
  await page.getByRole("button", { name: "Import…" }).click();
  const sure = page.getByRole("dialog", { name: "Change 4 keys?" });
  await exec("bash", ["-c", await command(page, sure, "Copy as curl", /LEASE_2/)]);
  const leases = await Promise.all(["m1", "m2", "m3", "m4"].map(async (name) => {
    const answer = await fetch(`${server.url}/v3/keys/here/${name}`);
    expect(await answer.text()).toBe("it's up");
    return answer.headers.get("keyport-lease");
  }));
  const [shared, same, own, none] = leases;
  expect(same).toBe(shared);
  expect(none).toBeNull();
  expect(await server.call("GET", `/v3/leases/${shared}`)).toMatchObject({ granted_ttl: "600" });
  expect(await server.call("GET", `/v3/leases/${own}`)).toMatchObject({ granted_ttl: "60" });
  await accessible(page);
});

test("what saves, restores and deletes a key keeps its lease, and writes over nobody", async ({ page, server }) => {
  await server.call("POST", "/v3/leases", { ttl: 600, id: 255 });
  const first = await server.put("app/a", "one", "?lease=255");
  await server.put("app/a", "two", "?lease=255");
  const leased = async () => (await fetch(`${server.url}/v3/keys/app/a`)).headers.get("keyport-lease");
  await page.goto(server.page("keys/app/a"));
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "The value" }).fill("three");
  await page.keyboard.press("Control+s");
  const review = page.getByRole("dialog", { name: "Save app/a?" });
  const save = await command(page, review, "Copy as curl", /lease=255/);
  await exec("bash", ["-c", save]);
  expect([await server.get("app/a"), await leased()]).toEqual(["three", "255"]);
  // Once more, it is not what it was.
  await exec("bash", ["-c", save]);
  expect((await fetch(`${server.url}/v3/keys/app/a`)).headers.get("keyport-version")).toBe("3");

  await page.reload();
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByRole("listitem").nth(2).getByRole("button", { name: "Restore" }).click();
  await exec("bash", ["-c", await command(page, page.getByRole("dialog", { name: `Restore what it was at revision ${first}?` }), "Copy as curl", /lease=255/)]);
  expect([await server.get("app/a"), await leased()]).toEqual(["one", "255"]);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("listitem")).toHaveCount(4);
  await exec("bash", ["-c", await command(page, page.locator("article"), "Copy as curl: delete", /-X DELETE/)]);
  await expect(page.getByRole("listitem").first()).toContainText("deleted");
});
