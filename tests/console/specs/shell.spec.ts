// What is around the screens: who one is, whether the server is there, what the page may load.
import { logIn, loginOf } from "../lib/login.ts";
import { accessible, expect, rows, shortcut, test } from "../lib/test.ts";

test("a session that ends in the middle of an edit costs nothing that was typed", async ({ page, server, context }) => {
  await server.put("app/text", "before");
  await server.secure();
  await page.goto(server.page("keys/app/text"));
  const login = loginOf(page);
  await logIn(page, { user: "root", password: "wrong" });
  await expect(login.getByRole("alert")).toBeVisible();
  await accessible(page);
  await logIn(page, { password: "secret" });
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "The value" }).fill("typed with care");

  await context.clearCookies();
  await page.getByRole("button", { name: "Save…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
  await expect(login).toContainText("The session is over");
  await logIn(page, { password: "secret" });
  await expect(page.getByText(/^Saved at revision/)).toBeVisible();
  await expect(page.getByLabel("The value")).toHaveText("typed with care");
});

test("a server that is gone is said to be, and what is live goes on when it is back", async ({ page, server }) => {
  await server.put("a/1", "x");
  await page.goto(server.page("keys/a/"));
  await expect(rows(page)).toHaveCount(1);
  await server.kill();
  await expect(page.getByText("The server does not answer")).toBeVisible();
  await accessible(page);
  await server.restart();
  await expect(page.getByText("The server does not answer")).toHaveCount(0);
  await server.put("a/2", "x");
  await expect(rows(page)).toHaveCount(2);
});

test("everything by the keyboard", async ({ page, server }) => {
  await server.put("app/one", "x");
  await page.goto(server.page("keys"));
  await expect(rows(page)).toHaveCount(1);
  const palette = page.getByRole("combobox", { name: "What to do" });
  await page.keyboard.press("Control+k");
  await expect(palette).toBeFocused();
  await page.keyboard.type("dark");
  await accessible(page);
  await page.keyboard.press("Enter");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(rows(page)).toHaveCount(1);
  await page.keyboard.press("Control+k");
  await expect(palette).toBeFocused();
  await page.keyboard.type("app/one");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "app/one" })).toBeVisible();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
  await page.emulateMedia({ colorScheme: "dark" });
  await page.keyboard.press("Escape");
  await page.goto(server.page("keys/app/"));
  await page.reload();
  await expect(rows(page)).toHaveCount(1);
  await shortcut(page, "j");
  await expect(page.getByRole("listbox", { name: "Keys and levels" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "app/one" })).toBeVisible();
  await page.goto(server.page("nowhere"));
  await expect(page.getByText("There is no such screen")).toBeVisible();
});

test("the page is guarded: nothing inline, no frame, files that may be kept", async ({ page, server }) => {
  test.skip(process.env.KEYPORT_CONSOLE_FILES !== undefined, "it is about what the server sends");
  const answers: Record<string, string>[] = [];
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (pathname.startsWith("/ui/")) answers.push({ ...response.headers(), path: pathname });
  });
  await page.goto(server.page("keys"));
  await expect(page.getByRole("heading", { name: "Nothing is stored yet" })).toBeVisible();
  const index = answers.find(({ path }) => path === "/ui/");
  expect(index?.["content-security-policy"]).toMatch(/^default-src 'none'.*frame-ancestors 'none'$/);
  expect(index?.["content-security-policy"]).not.toContain("unsafe");
  expect(index?.["cache-control"]).toBe("no-cache");
  const scripts = answers.filter(({ path }) => path?.endsWith(".js"));
  expect(scripts.length).toBeGreaterThan(1);
  for (const script of scripts) {
    expect(script["cache-control"]).toContain("immutable");
    // Over plain HTTP browsers take gzip alone.
    expect(script["content-encoding"]).toMatch(/^(gzip|br)$/);
  }
});
