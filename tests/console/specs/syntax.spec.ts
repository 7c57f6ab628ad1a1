// Values in their syntax: by the end of the key, by hand, with what is wrong in them, and loaded when it is wanted.
import { type Page } from "@playwright/test";

import { accessible, expect, test } from "../lib/test.ts";

const value = (page: Page) => page.getByRole("textbox", { name: "The value" });
const syntax = (page: Page) => page.getByRole("combobox", { name: "Syntax" });

/** Colours of what is written, all of which are not that of the text. */
function colours(page: Page): Promise<number> {
  return value(page).evaluate((element) => new Set([...element.querySelectorAll(".cm-line span")].map((span) => getComputedStyle(span).color)).size);
}

async function write(page: Page, text: string): Promise<void> {
  await value(page).press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
}

const VALUES = [
  ["app/pom.xml", "xml", '<?xml version="1.0"?>\n<!-- what -->\n<project name="a">\n  <id>1</id>\n</project>\n'],
  ["app/cargo.toml", "toml", '# what\n[package]\nname = "a"\nbig = 9223372036854775807\n'],
  ["app/my.properties", "properties", "# what\nserver.port=80\nserver.name: a\n"],
  ["app/run.sh", "shell", '#!/bin/sh\n# what\nif [ -n "$A" ]; then echo done; fi\n'],
  ["app/1.sql", "sql", "-- what\nSELECT id, 'a' FROM t WHERE n > 1;\n"],
  ["app/site.conf", "nginx", "# what\nserver {\n  listen 80;\n  server_name \"a\";\n}\n"],
] as const;

test("the end of a key says what is in it, and each has its colours", async ({ page, server }) => {
  for (const [key, mode, text] of VALUES) {
    await server.put(key, text);
    await page.goto(server.page(`keys/${key}`));
    await page.getByRole("button", { name: "Edit" }).click();
    await expect(syntax(page), key).toHaveValue(mode);
    await expect.poll(() => colours(page), key).toBeGreaterThan(1);
    await accessible(page);
  }
});

test("what is rare is loaded when it is wanted, and chosen by hand as well", async ({ page, server }) => {
  const loaded: string[] = [];
  page.on("request", (request) => { if (/\/(languages|toml|xml)-[^/]*\.js$/.test(request.url())) loaded.push(request.url()); });
  await server.put("app/a", '{"port": 80}');
  await page.goto(server.page("keys/app/a"));
  await page.getByRole("button", { name: "Edit" }).click();
  await expect(syntax(page)).toHaveValue("json");
  await expect.poll(() => colours(page)).toBeGreaterThan(1);
  expect(loaded).toEqual([]);
  await syntax(page).selectOption("shell");
  await write(page, "echo 'a' # what");
  await expect.poll(() => colours(page)).toBeGreaterThan(1);
  expect(loaded).toHaveLength(1);
  await syntax(page).selectOption("text");
  await expect.poll(() => colours(page)).toBe(0);
  await syntax(page).selectOption("hex");
  await expect(value(page)).toContainText("65 63 68 6f");
  await syntax(page).selectOption("sql");
  await expect(value(page)).toHaveText("echo 'a' # what");
  expect(loaded).toHaveLength(1);
});

test("XML and TOML that are none are told, and saved all the same", async ({ page, server }) => {
  await server.put("app/a.xml", "<a/>");
  await server.put("app/a.toml", "a = 1");
  await page.goto(server.page("keys/app/a.xml"));
  await page.getByRole("button", { name: "Edit" }).click();
  await write(page, "<a>\n<b></a>");
  await expect(page.getByText(/^Not XML: line 2, column/)).toBeVisible();
  await write(page, "<a>\n<b/></a>");
  await expect(page.getByText(/^Not XML/)).toHaveCount(0);
  await page.goto(server.page("keys/app/a.toml"));
  await page.getByRole("button", { name: "Edit" }).click();
  await write(page, "a = 1\na = 2");
  await expect(page.getByText(/^Not TOML: line 2, column/)).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "Save…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText(/^Saved at revision/)).toBeVisible();
  expect(await server.get("app/a.toml")).toBe("a = 1\na = 2");
});

test("a new key is written in what its name says, until something else is chosen", async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  // Where nothing is stored there are two of the button.
  await server.put("other", "1");
  await page.goto(server.page("keys"));
  await page.getByRole("button", { name: "New key" }).click();
  const dialog = page.getByRole("dialog", { name: "New key" });
  const name = dialog.getByLabel("Key", { exact: true });
  await expect(dialog.getByRole("textbox", { name: "The value" })).toBeVisible();
  await name.fill("app/site.conf");
  await expect(syntax(page)).toHaveValue("nginx");
  await name.fill("app/a.toml");
  await expect(syntax(page)).toHaveValue("toml");
  await dialog.getByRole("textbox", { name: "The value" }).click();
  await page.keyboard.insertText("a = [1, 2");
  await expect(dialog.getByText(/^Not TOML: /)).toBeVisible();
  await syntax(page).selectOption("text");
  await name.fill("app/a.sql");
  await expect(syntax(page)).toHaveValue("text");
  await accessible(page);
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(page.getByLabel("The value")).toHaveText("a = [1, 2");
});
