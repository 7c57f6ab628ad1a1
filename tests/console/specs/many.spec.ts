// A hundred thousand keys side by side.
import { expect, rows, test } from "../lib/test.ts";

const COUNT = 100_000;
/** Rows that the page may have at once, however many there are. */
const MOST_ROWS = 120;

test("a hundred thousand siblings are a list like any other", async ({ page, server }) => {
  test.setTimeout(600_000);
  await server.fill(COUNT, (at) => `flat/${String(at).padStart(6, "0")}`);
  await page.goto(server.page("keys/flat/"));
  await expect(rows(page, { name: "000000" })).toBeVisible();
  const list = page.getByRole("listbox", { name: "Keys and levels" });
  await list.focus();
  await expect(async () => {
    await page.keyboard.press("End");
    await expect(page.getByText("100\u202f000 here")).toBeVisible({ timeout: 50 });
  }).toPass({ timeout: 480_000, intervals: [20] });
  await page.keyboard.press("End");
  await expect(rows(page, { name: "099999" })).toBeVisible();
  expect(await rows(page).count()).toBeLessThan(MOST_ROWS);

  // One comes, one goes, and nothing else is asked for.
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await server.put("flat/099999a", "new");
  await expect(rows(page, { name: "099999a" })).toBeVisible();
  await server.call("DELETE", "/v3/keys/flat/099998");
  await expect(rows(page, { name: "099998" })).toHaveCount(0);
  await expect(page.getByText("100\u202f000 here")).toBeVisible();
  expect(asked).toEqual([]);

  const frames = await list.evaluate(async (element) => {
    const began = performance.now();
    let count = 0;
    for (; count < 120; count += 1) {
      element.scrollTop -= 400;
      await new Promise(requestAnimationFrame);
    }
    return (count / (performance.now() - began)) * 1_000;
  });
  // How many it can be is the machine's to say; that it is said is ours.
  test.info().annotations.push({ type: "frames a second", description: frames.toFixed(0) });
  expect(await rows(page).count()).toBeLessThan(MOST_ROWS);
});
