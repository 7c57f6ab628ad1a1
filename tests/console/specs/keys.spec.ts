// Keys: seen, made, changed safely, undone.
import { accessible, expect, rows, shortcut, test } from "../lib/test.ts";

test("an empty store shows what to do first, and the first key appears by itself", async ({ page, server }) => {
  await page.goto(`${server.url}/`);
  await expect(page).toHaveURL(/\/ui\/#\/overview$/);
  await expect(page.getByRole("heading", { name: "Overview" })).toBeAttached();
  await shortcut(page, "g");
  await page.keyboard.press("k");
  await expect(page.getByRole("heading", { name: "Nothing is stored yet" })).toBeVisible();
  await expect(page.getByText("/v3/keys/greeting").first()).toBeVisible();
  await accessible(page);
  await server.put("greeting", "hello");
  await rows(page, { name: "greeting" }).click();
  await expect(page.getByLabel("The value")).toHaveText("hello");
});

test("levels, keys of any bytes, and values by what they are", async ({ page, server }) => {
  await server.put("app/config/db", JSON.stringify({ host: "db1", id: 1 }).replace("1}", "7587848390525747211}"));
  await server.put("app/motd", "Be kind.\n");
  await server.put("城市/東京", Uint8Array.of(0, 1, 2, 0xff));
  await server.call("POST", "/v3/kv/put", { key: Buffer.from([0, 1, 0xff]).toString("base64"), value: "" });
  await page.goto(server.page("keys"));
  await expect(rows(page)).toHaveText([/\\x00\\x01\\xff/, /app\/.*2/, /城市\/.*1/]);
  await rows(page, { name: "app/" }).click();
  await rows(page, { name: "config/" }).click();
  await rows(page, { name: "db" }).click();
  // Of 64 bits, and not rounded.
  await expect(page.getByLabel("The value")).toContainText('"id": 7587848390525747211\n}', { useInnerText: true });
  await accessible(page);
  await page.getByRole("link", { name: "All keys" }).click();
  await rows(page, { name: "城市/" }).click();
  await rows(page, { name: "東京" }).click();
  await expect(page.getByLabel("The value")).toContainText("00000000  00 01 02 ff");
  await page.goto(server.page("keys/%00%01%FF"));
  await expect(page.getByText("The value is empty: no bytes.")).toBeVisible();
});

test("a new key, edited, its history, and an old one restored", async ({ page, server }) => {
  await page.goto(server.page("keys"));
  await page.getByRole("button", { name: "New key" }).first().click();
  const dialog = page.getByRole("dialog", { name: "New key" });
  await dialog.getByRole("textbox", { name: "Key", exact: true }).fill("app/limit");
  await dialog.getByRole("textbox", { name: "The value" }).fill("10");
  await accessible(page);
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("heading", { name: "app/limit" })).toBeVisible();
  expect(await server.get("app/limit")).toBe("10");

  await expect(page.getByRole("button", { name: "Edit" })).toBeVisible();
  await shortcut(page, "e");
  await page.getByRole("textbox", { name: "The value" }).fill("20");
  await page.keyboard.press("Control+s");
  const review = page.getByRole("dialog", { name: "Save app/limit?" });
  await expect(review.getByRole("region", { name: "What is different" })).toContainText("removed: 10");
  await expect(review.getByRole("region", { name: "What is different" })).toContainText("added: 20");
  await accessible(page);
  await review.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText(/^Saved at revision/)).toBeVisible();
  await expect(page.getByLabel("The value")).toHaveText("20");

  await page.getByRole("tab", { name: "History" }).click();
  await expect(page.getByRole("listitem")).toHaveText([/changed.*now/, /created/]);
  await accessible(page);
  await page.getByRole("listitem").nth(1).getByRole("button", { name: "Restore" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
  await expect(page.getByRole("listitem")).toHaveCount(3);
  expect(await server.get("app/limit")).toBe("10");
});

test("a key that is deleted comes back", async ({ page, server }) => {
  await server.put("app/precious", Uint8Array.of(1, 2, 0xff));
  await page.goto(server.page("keys/app/precious"));
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByText("There is no such key")).toBeVisible();
  await expect(page.getByText("No keys here")).toBeVisible();
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(page.getByLabel("The value")).toContainText("01 02 ff");
  await expect(rows(page, { name: "precious" })).toBeVisible();
});

test("all keys of a level go at once, if its name is typed", async ({ page, server }) => {
  for (const key of ["app/a", "app/b", "app/deep/c", "other"]) await server.put(key, "x");
  await page.goto(server.page("keys/app/"));
  await page.getByRole("button", { name: "Delete all keys below app/" }).click();
  const sure = page.getByRole("dialog", { name: "Delete all keys below app/?" });
  await expect(sure).toContainText("3 keys are there now");
  await accessible(page);
  await expect(sure.getByRole("button", { name: "Delete all" })).toBeDisabled();
  await sure.getByLabel("Type app/ to confirm").fill("app/");
  await sure.getByRole("button", { name: "Delete all" }).click();
  await expect(page.getByText("Deleted 3 keys below app/")).toBeVisible();
  await expect(rows(page)).toHaveText([/other/]);
  expect([await server.get("app/deep/c"), await server.get("other")]).toEqual([undefined, "x"]);
});

test("a new key is bound to a lease that there is", async ({ page, server }) => {
  await server.call("POST", "/v3/leases", { ttl: 600, id: 255 });
  await server.put("app/a", "x");
  await page.goto(server.page("keys/app/"));
  await page.getByRole("button", { name: "New key" }).click();
  const form = page.getByRole("dialog", { name: "New key" });
  await form.getByLabel("Key").fill("app/bound");
  await form.getByLabel("Or a lease that there is").fill("no id");
  await expect(form.getByText("An id has up to 16 hexadecimal digits.")).toBeVisible();
  await expect(form.getByRole("button", { name: "Create" })).toBeDisabled();
  await form.getByLabel("Or a lease that there is").fill("ff");
  await accessible(page);
  await form.getByRole("button", { name: "Create" }).click();
  await expect(page.getByText("Created app/bound")).toBeVisible();
  expect((await fetch(`${server.url}/v3/keys/app/bound`)).headers.get("keyport-lease")).toBe("255");
});

test("a lease is counted down", async ({ page, server }) => {
  await server.put("here/m1", "up", "?ttl=3600");
  await page.goto(server.page("keys/here/m1"));
  await expect(page.getByText(/^(1 h|59 min( \d+ s)?)$/)).toBeVisible();
  await accessible(page);
});

test("the server searches, and what was found is an address", async ({ page, server }) => {
  await server.fill(3_000, (at) => `deep/${at % 7}/level/${at}`);
  await server.put("deep/3/level/needle", "hay");
  await page.goto(server.page("keys"));
  await expect(rows(page)).toHaveCount(1);
  await shortcut(page, "/");
  await page.keyboard.type("needle");
  await page.keyboard.press("Enter");
  await rows(page, { name: "deep/3/level/needle" }).click();
  await expect(page.getByLabel("The value")).toHaveText("hay");
  await page.reload();
  await expect(rows(page)).toHaveCount(1);
  await expect(page.getByLabel("The value")).toHaveText("hay");
});

test.describe("read-only", () => {
  test.use({ flags: ["--console=read-only"] });
  test("nothing is offered that changes anything", async ({ page, server }) => {
    await server.put("k", "v");
    await page.goto(server.page("keys/k"));
    await expect(page.getByText("Read-only")).toBeVisible();
    await expect(page.getByLabel("The value")).toHaveText("v");
    for (const name of ["Edit", "Delete", "New key"]) await expect(page.getByRole("button", { name })).toHaveCount(0);
    await page.getByRole("tab", { name: "History" }).click();
    await expect(page.getByRole("button", { name: "Restore" })).toHaveCount(0);
    await accessible(page);
  });
});
