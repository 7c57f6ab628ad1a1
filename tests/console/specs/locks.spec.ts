// Locks and elections: who is first, who waits, as it happens.
import { accessible, expect, test } from "../lib/test.ts";

test("a line is found by itself, shown in order, and moves on as its first one is released", async ({ page, server }) => {
  await page.goto(server.page("locks"));
  await expect(page.getByRole("heading", { name: "Nobody holds a lock" })).toBeVisible();
  await accessible(page);
  const take = (who: string, wait = "") => fetch(`${server.url}/v3/locks/jobs/nightly?ttl=600${wait}`, { method: "POST", body: who });
  expect((await take("m1, since noon")).status).toBe(201);
  const second = take("m2", "&wait=300");
  await page.getByRole("link", { name: "jobs/nightly" }).click();
  const line = page.getByRole("list", { name: "The line" }).getByRole("listitem");
  await expect(line).toHaveText([/m1, since noon.*holds it/, /m2.*waits/]);
  const third = take("m3", "&wait=300");
  await expect(line).toHaveCount(3);
  await expect(line.nth(0)).toContainText(/in line for/);
  await accessible(page);

  await line.nth(0).getByRole("button", { name: "Release…" }).click();
  const dialog = page.getByRole("dialog", { name: "Release jobs/nightly?" });
  await expect(dialog.getByRole("button", { name: "Release" })).toBeDisabled();
  await accessible(page);
  await dialog.getByLabel("Type jobs/nightly to confirm").fill("jobs/nightly");
  await dialog.getByRole("button", { name: "Release" }).click();
  await expect(line).toHaveText([/m2.*holds it/, /m3.*waits/]);
  expect((await second).status).toBe(201);
  await line.nth(1).getByRole("button", { name: "Take out…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Take out" }).click();
  await expect(line).toHaveCount(1);
  expect((await third).ok).toBe(false);
});
