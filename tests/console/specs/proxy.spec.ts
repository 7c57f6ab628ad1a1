// Below a path of its own, behind a proxy that nobody has told the console of.
import { PATH, proxied } from "../lib/proxy.ts";
import { accessible, expect, rows, test } from "../lib/test.ts";

test("it works below any path, live and writing", async ({ page, server }) => {
  const between = await proxied(server.url);
  try {
    await server.put("app/one", "1");
    await page.goto(`${between.at}${PATH}/`);
    await expect(page).toHaveURL(new RegExp(`${PATH}/ui/#/`));
    await page.goto(`${between.at}${PATH}/ui/#/keys/app/`);
    await expect(rows(page)).toHaveCount(1);
    await server.put("app/two", "2");
    await rows(page, { name: "two" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await expect(page.getByText("There is no such key")).toBeVisible();
    expect(await server.get("app/two")).toBeUndefined();
  } finally {
    between.end();
  }
});

test("metrics that are not passed on are said to be", async ({ page, server }) => {
  const between = await proxied(server.url, `${PATH}/metrics`);
  try {
    await page.goto(`${between.at}${PATH}/ui/#/metrics`);
    await expect(page.getByRole("alert")).toContainText("answers /metrics with 404");
    await accessible(page);
  } finally {
    between.end();
  }
});
