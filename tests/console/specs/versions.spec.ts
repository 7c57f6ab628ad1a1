// Values beside each other, and values in forms that are no text.
import { type Locator, type Page } from "@playwright/test";

import { accessible, expect, test } from "../lib/test.ts";

const version = (page: Page, at: number): Locator => page.getByRole("listitem").nth(at);

test("any two versions of a key are compared, the older one first", async ({ page, server }) => {
  const revs: string[] = [];
  for (const value of ["one\n", "two\n", "three\n"]) revs.push(await server.put("app/a", value));
  await page.goto(server.page("keys/app/a"));
  await page.getByRole("tab", { name: "History" }).click();
  await version(page, 0).getByRole("button", { name: "Diff" }).click();
  await expect(version(page, 0).getByRole("region", { name: `What changed at revision ${revs[2]}` })).toContainText(/removed: two.*added: three/s);

  const base = page.getByRole("button", { name: `Compare all with revision ${revs[0]}` });
  await base.press("Enter");
  await expect(base).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByText(`All are compared with revision ${revs[0]}.`)).toBeVisible();
  await expect(version(page, 0).getByRole("region", { name: `What changed from revision ${revs[0]} to ${revs[2]}` })).toContainText(/removed: one.*added: three/s);
  await accessible(page);
  await page.getByRole("button", { name: `Compare all with revision ${revs[2]}` }).click();
  await version(page, 1).getByRole("button", { name: "Diff" }).click();
  await expect(version(page, 1).getByRole("region", { name: `What changed from revision ${revs[1]} to ${revs[2]}` })).toContainText(/removed: two.*added: three/s);
  await page.getByRole("button", { name: "Each with the one before it" }).click();
  await expect(version(page, 1).getByRole("region", { name: `What changed at revision ${revs[1]}` })).toContainText(/removed: one.*added: two/s);
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test("JSON is compared in lines or as it is written, and only another way to write it is said to be that", async ({ page, server }) => {
  await server.put("app/a.json", '{"host":"a","port":80}');
  await server.put("app/a.json", '{"host":"a","port":8080}');
  await server.put("app/a.json", '{ "host": "a", "port": 8080 }');
  await page.goto(server.page("keys/app/a.json"));
  await page.getByRole("tab", { name: "History" }).click();
  await version(page, 0).getByRole("button", { name: "Diff" }).click();
  await expect(version(page, 0)).toContainText("The JSON is the same, and is written otherwise.");
  await version(page, 0).getByRole("combobox", { name: /compared as/ }).selectOption("as it is written");
  await expect(version(page, 0).getByRole("region")).toContainText(/removed: \{"host":"a","port":8080\}.*added: \{ "host": "a"/s);
  await version(page, 1).getByRole("button", { name: "Diff" }).click();
  await expect(version(page, 1).getByRole("region")).toContainText(/removed:\s+"port": 80.*added:\s+"port": 8080/s);
  await accessible(page);

  // So is what is about to be saved.
  await page.getByRole("tab", { name: "Value" }).click();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "The value" }).press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText('{"host":"b","port":8080}');
  await page.keyboard.press("Control+s");
  const review = page.getByRole("dialog", { name: "Save app/a.json?" });
  await expect(review.getByRole("region")).toContainText(/removed:\s+"host": "a",.*added:\s+"host": "b",/s);
  await review.getByRole("combobox", { name: /compared as/ }).selectOption("as it is written");
  await expect(review.getByRole("region")).toContainText('added: {"host":"b","port":8080}');
  await accessible(page);
});

test("MessagePack and protobuf are shown as what they say, where bytes are that", async ({ page, server }) => {
  const packed = [0x82, 0xa2, ...Buffer.from("id"), 0xcf, 0x69, 0x4c, 0xd6, 0xa6, 0x3c, 0x6f, 0x18, 0x6b, 0xa4, ...Buffer.from("tags"), 0x92, 0xc3, 0xc0];
  await server.put("app/packed", Uint8Array.from(packed));
  await server.put("app/message", Uint8Array.from([0x0a, 5, ...Buffer.from("hello"), 0x10, 0x96, 0x01, 0x1a, 2, 0x08, 0x01]));
  await server.put("app/noise", Uint8Array.from([0xff, 0, 1]));
  const shown = page.getByRole("combobox", { name: "Shown as" });
  await page.goto(server.page("keys/app/packed"));
  await expect(page.getByLabel("The value")).toContainText("00000000  82 a2 69 64");
  await shown.selectOption("MessagePack");
  await expect(page.getByLabel("The value")).toHaveText('{ "id": 7587675481679272043, "tags": [ true, null ] }');
  await accessible(page);
  await page.goto(server.page("keys/app/message"));
  await shown.selectOption("protobuf");
  await expect(page.getByLabel("The value")).toHaveText('{ "#1": "hello", "#2": "150", "#3": { "#1": "1" } }');
  await page.goto(server.page("keys/app/noise"));
  await expect(page.getByLabel("The value")).toContainText("ff 00 01");
  await expect(shown).toHaveCount(0);
});
