// Users and roles: turned on without being locked out, and who may do what.
import { type Page } from "@playwright/test";

import { logIn } from "../lib/login.ts";
import { accessible, expect, test } from "../lib/test.ts";

async function typePassword(page: Page, password: string): Promise<void> {
  await page.getByRole("dialog").getByLabel("New password").fill(password);
  await page.getByRole("dialog").getByLabel("Once more").fill(password);
}

test("a role, a user, authentication turned on, and the session goes on as root", async ({ page, server }) => {
  await server.put("app/db", "one");
  await page.goto(server.page("users"));
  await expect(page.getByRole("heading", { name: "There are no users" })).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "New role" }).click();
  await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("reader");
  await page.getByRole("dialog").getByRole("button", { name: "Add" }).click();
  await page.getByRole("button", { name: "Add a permission…" }).click();
  const permission = page.getByRole("dialog", { name: "What reader may do" });
  await permission.getByLabel("Prefix", { exact: true }).fill("app");
  await expect(permission).toContainText("Also app2");
  await permission.getByLabel("Prefix", { exact: true }).fill("app/");
  await accessible(page);
  await permission.getByRole("button", { name: "Add" }).click();
  await expect(page.getByRole("list", { name: "What reader may do" })).toContainText("app/…");

  await page.getByRole("button", { name: "New user" }).click();
  await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("app");
  await typePassword(page, "second");
  await page.getByRole("dialog").getByLabel("reader").check();
  await accessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Add" }).click();
  await expect(page.getByRole("row").filter({ hasText: "app" })).toContainText("reader");

  await page.getByRole("button", { name: "Turn on…" }).click();
  await expect(page.getByRole("dialog").getByRole("button", { name: "Turn on" })).toBeDisabled();
  await typePassword(page, "first");
  await accessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Turn on" }).click();
  await expect(page.getByText("Authentication is on, and you are root")).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(page.getByRole("row").filter({ hasText: "root" })).toBeVisible();
  expect((await fetch(`${server.url}/v3/users`)).status).toBe(401);

  await page.getByLabel("The user").selectOption("app");
  await page.getByLabel("Key or prefix").fill("app/db");
  await page.getByRole("button", { name: "Test" }).click();
  await expect(page.getByText("may read", { exact: true })).toBeVisible();
  await expect(page.getByText("may not write", { exact: true })).toBeVisible();
  await expect(page).toHaveURL(/users\?user=app&key=app%2Fdb$/);
  await accessible(page);

  await page.getByRole("button", { name: "My password…" }).click();
  await page.getByRole("dialog").getByLabel("What it is").fill("wrong");
  await typePassword(page, "third");
  await page.getByRole("dialog").getByRole("button", { name: "Change" }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toBeVisible();
  await page.getByRole("dialog").getByLabel("What it is").fill("first");
  await page.getByRole("dialog").getByRole("button", { name: "Change" }).click();
  await expect(page.getByText("Your password is another one now")).toBeVisible();
  const basic = `Basic ${Buffer.from("root:third").toString("base64")}`;
  expect(await server.call("GET", "/v3/users", undefined, { authorization: basic })).toMatchObject({ users: [{ name: "app" }, { name: "root" }] });

  await page.getByRole("button", { name: "Turn off…" }).click();
  await page.getByLabel("Type turn off to confirm").fill("turn off");
  await page.getByRole("dialog").getByRole("button", { name: "Turn off" }).click();
  await expect(page.getByText("Authentication is off", { exact: true })).toBeVisible();
  expect((await fetch(`${server.url}/v3/users`)).status).toBe(200);
});

test("who is not root sees what he may do, and no more", async ({ page, server }) => {
  await server.call("POST", "/v3/users", { name: "app", password: "second" });
  await server.call("POST", "/v3/roles", { name: "reader" });
  await server.call("POST", "/v3/roles/reader/permissions", { permission: "read", prefix: "app/" });
  await server.call("PUT", "/v3/users/app/roles/reader");
  await server.secure();
  await page.goto(server.page("users"));
  await logIn(page, { user: "app", password: "second" });
  await expect(page.getByText("Users and roles are for root to see")).toBeVisible();
  await expect(page.getByText("app/…")).toBeVisible();
  await expect(page.getByRole("button", { name: /New user|New role|Turn/ })).toHaveCount(0);
  await accessible(page);
});
