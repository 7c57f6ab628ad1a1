// Two change the same key: nobody is overwritten unseen, nothing typed is lost, and what does not touch is put together.
import { type Locator, type Page } from "@playwright/test";

import { accessible, expect, test } from "../lib/test.ts";

/** Opens a key, and types another value. */
async function edit(page: Page, at: string, value: string, syntax?: string): Promise<void> {
  await page.goto(at);
  await page.getByRole("button", { name: "Edit", exact: true }).click();
  if (syntax !== undefined) await page.getByLabel("Syntax").selectOption(syntax);
  await page.getByRole("textbox", { name: "The value" }).fill(value);
}

/** Saves what is typed, after the look at it. */
async function save(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Save…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
}

function conflictOf(page: Page): { dialog: Locator; result: Locator; saved: () => Promise<void> } {
  const dialog = page.getByRole("dialog", { name: "Somebody else was quicker" });
  return { dialog, result: dialog.getByLabel("The result"), saved: () => dialog.getByRole("button", { name: "Save the result" }).click() };
}

test("what each has changed alone is taken, what both have is chosen, and others who are quicker lose nothing", async ({ page, server }) => {
  await server.put("app/text", "one\ntwo\nthree\nfour\nfive\nsix\nseven");
  await edit(page, server.page("keys/app/text"), "one\nTWO\nthree\nmine\nfive\nsix\nseven");
  await server.put("app/text", "one\ntwo\nthree\ntheirs\nfive\nsix\nSEVEN");
  await expect(page.getByText("Somebody has changed it meanwhile")).toBeVisible();
  await save(page);
  const { dialog, result, saved } = conflictOf(page);
  await expect(dialog.getByRole("status")).toHaveText("1 change of theirs1 change of mine1 place to choose");
  await expect(dialog.getByRole("region", { name: "Mine, taken" })).toContainText("added: TWO");
  await expect(dialog.getByRole("region", { name: "Theirs, taken" })).toContainText("added: SEVEN");
  await expect(dialog.getByRole("region", { name: "Place 1 of 1, theirs" })).toContainText("added: theirs");
  await expect(dialog.getByRole("region", { name: "Place 1 of 1, mine" })).toContainText("added: mine");
  await expect(dialog.getByRole("button", { name: "Save the result" })).toBeDisabled();
  await accessible(page);
  // By the keyboard: the first choice has it.
  await expect(dialog.getByRole("radio", { name: "Theirs", exact: true })).toBeFocused();
  await page.keyboard.press("Space");
  await expect(result).toHaveText("one\nTWO\nthree\ntheirs\nfive\nsix\nSEVEN", { useInnerText: true });
  await page.keyboard.press("ArrowDown");
  await expect(result).toHaveText("one\nTWO\nthree\nmine\nfive\nsix\nSEVEN", { useInnerText: true });
  await dialog.getByRole("radio", { name: "Both, theirs first" }).check();
  await expect(result).toHaveText("one\nTWO\nthree\ntheirs\nmine\nfive\nsix\nSEVEN", { useInnerText: true });

  // A third is quicker than that: what was merged meets it, from where it began.
  await server.put("app/text", "one\ntwo\nthree\ntheirs\nfive\nsix\nSEVEN\neight");
  await saved();
  await expect(dialog.getByRole("status")).toHaveText("1 change of theirs2 changes of mine");
  expect(await server.get("app/text")).toBe("one\ntwo\nthree\ntheirs\nfive\nsix\nSEVEN\neight");
  await expect(result).toHaveText("one\nTWO\nthree\ntheirs\nmine\nfive\nsix\nSEVEN\neight", { useInnerText: true });

  await dialog.getByRole("button", { name: "Edit the result" }).click();
  const value = page.getByRole("textbox", { name: "The value" });
  await expect(value).toContainText("eight");
  await value.fill("one\nTWO\nand more");
  await save(page);
  await expect.poll(() => server.get("app/text")).toBe("one\nTWO\nand more");
});

test("whoever closes it has what he typed, and the merge again at the next save", async ({ page, server }) => {
  await server.put("app/text", "one\ntwo\nthree");
  await edit(page, server.page("keys/app/text"), "one\ntwo\nmine");
  await server.put("app/text", "theirs\ntwo\nthree");
  await save(page);
  const { dialog, saved } = conflictOf(page);
  await expect(dialog.getByRole("status")).toHaveText("1 change of theirs1 change of mine");
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole("textbox", { name: "The value" })).toContainText("mine");
  await save(page);
  await saved();
  await expect.poll(() => server.get("app/text")).toBe("theirs\ntwo\nmine");
});

test("one of them whole: theirs, mine, and mine again where it was removed", async ({ page, server }) => {
  await server.put("app/text", "before");
  await edit(page, server.page("keys/app/text"), "mine");
  await server.put("app/text", "theirs");
  await save(page);
  const { dialog } = conflictOf(page);
  await dialog.getByRole("button", { name: "Take theirs" }).click();
  const value = page.getByRole("textbox", { name: "The value" });
  await expect(value).toHaveText("theirs");
  await value.fill("mine after theirs");
  await server.put("app/text", "theirs again");
  await save(page);
  await dialog.getByRole("button", { name: "Save mine over it" }).click();
  await expect.poll(() => server.get("app/text")).toBe("mine after theirs");

  await page.getByRole("button", { name: "Edit", exact: true }).click();
  await value.fill("and again");
  await server.call("DELETE", "/v3/keys/app/text");
  await save(page);
  await expect(dialog).toContainText("The key was removed while you edited it");
  await accessible(page);
  await dialog.getByRole("button", { name: "Write mine again" }).click();
  await expect(dialog).toHaveCount(0);
  await expect.poll(() => server.get("app/text")).toBe("and again");
});

test("JSON on one line is merged laid out, if that is wished, and what is seen is saved", async ({ page, server }) => {
  await server.put("app/db", '{"host":"db1","port":1,"id":7587848390525747211,"pool":{"size":4},"tls":false}');
  await edit(page, server.page("keys/app/db"), '{"host":"db2","port":1,"id":7587848390525747211,"pool":{"size":4},"tls":false}');
  await server.put("app/db", '{"host":"db1","port":1,"id":7587848390525747211,"pool":{"size":8},"tls":false}');
  await save(page);
  const { dialog, result, saved } = conflictOf(page);
  await expect(dialog.getByRole("status")).toContainText("1 place to choose");
  await dialog.getByLabel("Merged").selectOption("laid out");
  await expect(dialog.getByRole("status")).toHaveText("1 change of theirs1 change of mine");
  await page.setViewportSize({ width: 390, height: 844 });
  await accessible(page);
  const seen = await result.innerText();
  await saved();
  await expect.poll(() => server.get("app/db")).toBe(seen);
  expect(seen).toBe('{\n  "host": "db2",\n  "port": 1,\n  "id": 7587848390525747211,\n  "pool": {\n    "size": 8\n  },\n  "tls": false\n}');
});

test("JSON that a merge would break is not saved before it is mended", async ({ page, server }) => {
  await server.put("app/list", '{\n  "a": 1,\n\n  "z": 1\n}');
  await edit(page, server.page("keys/app/list"), '{\n  "a": 1\n}');
  await server.put("app/list", '{\n  "a": 2,\n\n  "z": 1\n}');
  await save(page);
  const { dialog } = conflictOf(page);
  await dialog.getByRole("radio", { name: "Both, theirs first" }).check();
  await expect(dialog.getByRole("alert")).toContainText("Not JSON");
  await expect(dialog.getByRole("button", { name: "Save the result" })).toBeDisabled();
  await dialog.getByRole("button", { name: "Edit the result" }).click();
  await page.getByRole("textbox", { name: "The value" }).fill('{\n  "a": 2\n}');
  await save(page);
  await expect.poll(() => server.get("app/list")).toBe('{\n  "a": 2\n}');
});

test("bytes and large values are kept whole, and it is said why", async ({ page, server }) => {
  await server.put("app/bytes", Uint8Array.of(0, 1, 0xff));
  await edit(page, server.page("keys/app/bytes"), "00 01 fe");
  await server.put("app/bytes", Uint8Array.of(0, 2, 0xff));
  await save(page);
  const { dialog } = conflictOf(page);
  await expect(dialog).toContainText("What is no text is not merged");
  await expect(dialog.getByRole("region", { name: "What they changed" })).toContainText("00 02 ff");
  await expect(dialog.getByRole("region", { name: "What you changed" })).toContainText("00 01 fe");
  await expect(dialog.getByRole("button", { name: "Save the result" })).toHaveCount(0);
  await accessible(page);
  await dialog.getByRole("button", { name: "Save mine over it" }).click();
  await expect(dialog).toHaveCount(0);
  expect(await server.call("POST", "/v3/kv/range", { key: Buffer.from("app/bytes").toString("base64") })).toMatchObject({ kvs: [{ value: Buffer.from([0, 1, 0xfe]).toString("base64") }] });

  // Text here, and none there.
  await server.put("app/either", "text");
  await edit(page, server.page("keys/app/either"), "mine");
  await server.put("app/either", Uint8Array.of(0, 0xfe));
  await save(page);
  await expect(dialog.getByRole("region", { name: "What they changed" })).toContainText("00 fe");
  await dialog.getByRole("button", { name: "Take theirs" }).click();
  await expect(page.getByRole("textbox", { name: "The value" })).toHaveText("00 fe");

  await server.put("app/large", "before");
  await edit(page, server.page("keys/app/large"), "mine");
  await server.put("app/large", "x\n".repeat(140 * 1024));
  await save(page);
  await expect(dialog).toContainText("Values of more than 256 KiB are not merged");
  await expect(dialog).toContainText("Theirs: 280 KiB");
  await dialog.getByRole("button", { name: "Save mine over it" }).click();
  await expect.poll(() => server.get("app/large")).toBe("mine");
});
