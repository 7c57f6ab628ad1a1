// Leases: seen ending, kept alive, and revoked with a look at what dies.
import { accessible, copied, expect, shortcut, test } from "../lib/test.ts";

test("granted, kept alive, revoked by who has seen which keys go", async ({ page, server, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(server.page("leases"));
  await expect(page.getByRole("heading", { name: "There are no leases" })).toBeVisible();
  await accessible(page);
  await shortcut(page, "n");
  const dialog = page.getByRole("dialog", { name: "Grant a lease" });
  await dialog.getByLabel("For how many seconds").fill("600");
  await dialog.getByLabel("Id").fill("abc");
  await accessible(page);
  await dialog.getByRole("button", { name: "Grant" }).click();
  await expect(page).toHaveURL(/leases\/abc$/);
  await server.put("here/m1", "up", "?lease=2748");
  await server.put("here/東京", "up", "?lease=2748");
  await page.reload();
  await expect(page.getByRole("list", { name: "Keys of the lease" }).getByRole("listitem")).toHaveText(["here/m1", "here/東京"]);

  const row = page.getByRole("row").filter({ hasText: "abc" });
  const left = await row.textContent();
  await expect(row).not.toHaveText(left ?? "");
  await row.getByRole("button", { name: "Keep alive" }).click();
  await expect(page.getByText("Renewed: 10 min from now")).toBeVisible();
  await row.getByRole("button", { name: "Copy as" }).click();
  await page.getByRole("menuitem", { name: "Copy as etcdctl", exact: true }).click();
  await copied(page, /^etcdctl .*lease timetolive --keys abc$/);
  await accessible(page);

  await row.getByRole("button", { name: "Revoke…" }).click();
  const revoke = page.getByRole("dialog", { name: "Revoke the lease abc?" });
  await expect(revoke.getByRole("list", { name: "Keys that go" }).getByRole("listitem")).toHaveCount(2);
  await expect(revoke.getByRole("button", { name: "Revoke" })).toBeDisabled();
  await accessible(page);
  await revoke.getByLabel("Type abc to confirm").fill("abc");
  await revoke.getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByText("Revoked abc")).toBeVisible();
  await expect(page.getByRole("heading", { name: "There are no leases" })).toBeVisible();
  expect(await server.get("here/m1")).toBeUndefined();
});

test.describe("read-only", () => {
  test.use({ flags: ["--console=read-only"] });
  test("a lease is shown, and nothing is offered that changes it", async ({ page, server }) => {
    await server.call("POST", "/v3/leases", { ttl: "600", id: "7" });
    await page.goto(server.page("leases/7"));
    await expect(page.getByRole("row").filter({ hasText: "10 min" })).toBeVisible();
    await expect(page.getByRole("button", { name: /Grant|Keep alive|Revoke/ })).toHaveCount(0);
    await accessible(page);
  });
});
