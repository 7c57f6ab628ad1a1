// What a store needs now and then: its history compacted, an alarm taken back.
import { accessible, copied, expect, test } from "../lib/test.ts";

test("history is compacted down to a revision, once it is confirmed", async ({ page, server, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  for (let at = 1; at <= 5; at += 1) await server.put("k", `version ${at}`);
  await page.goto(server.page("members"));
  await page.getByRole("button", { name: "Compact…" }).click();
  const dialog = page.getByRole("dialog", { name: "Compact the history?" });
  const oldest = dialog.getByLabel("The oldest revision to keep");
  const compact = dialog.getByRole("button", { name: "Compact", exact: true });
  await expect(oldest).toHaveValue("6");
  await dialog.getByLabel("Type compact to confirm").fill("compact");
  for (const wrong of ["7", "0", "now"]) {
    await oldest.fill(wrong);
    await expect(compact).toBeDisabled();
    await expect(dialog).toContainText("A revision is a number from 1 to 6.");
  }
  await oldest.fill("4");
  await expect(dialog).toContainText("3 of them stay readable");
  await dialog.getByRole("button", { name: "Copy as" }).click();
  await page.getByRole("menuitem", { name: "Copy as etcdctl" }).click();
  await copied(page, /compact 4$/);
  await accessible(page);
  await compact.click();
  await expect(dialog).toHaveCount(0);
  expect((await fetch(`${server.url}/v3/keys/k?rev=3`)).status).toBe(410);
  expect(await (await fetch(`${server.url}/v3/keys/k?rev=4`)).text()).toBe("version 3");

  // What is gone is gone: the server says so, and the page shows it.
  await page.getByRole("button", { name: "Compact…" }).click();
  await oldest.fill("2");
  await dialog.getByLabel("Type compact to confirm").fill("compact");
  await compact.click();
  await expect(dialog.getByRole("alert")).toContainText("compacted");
});

test("an alarm is disarmed where it is seen, also on a telephone", async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const { members } = (await server.call("GET", "/v3/members")) as { members: { id: string }[] };
  await server.call("POST", "/v3/maintenance/alarm", { action: "ACTIVATE", memberID: members[0]?.id, alarm: "NOSPACE" });
  await page.goto(server.page("members"));
  await expect(page.getByText("Alarm: NOSPACE on m1.")).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "Disarm…" }).click();
  const dialog = page.getByRole("dialog", { name: "Disarm all alarms?" });
  await accessible(page);
  await dialog.getByRole("button", { name: "Disarm", exact: true }).click();
  await expect(page.getByText("Alarm: NOSPACE on m1.")).toHaveCount(0);
  await server.put("k", "can be written again");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test.describe("read-only", () => {
  test.use({ flags: ["--console=read-only"] });
  test("nothing is compacted", async ({ page, server }) => {
    await page.goto(server.page("members"));
    await expect(page.getByText("History of the store")).toBeVisible();
    await expect(page.getByRole("button", { name: /Compact|Disarm/ })).toHaveCount(0);
  });
});
