// Other servers' consoles: those of the members, at the same place, and those that are kept in the browser.
import { readFile } from "node:fs/promises";

import { type Locator, type Page } from "@playwright/test";

import { PATH, proxied } from "../lib/proxy.ts";
import { Server } from "../lib/server.ts";
import { accessible, expect, rows, shortcut, test } from "../lib/test.ts";

const open = (page: Page): Locator => page.getByRole("button", { name: /: other consoles$/ });
const dialog = (page: Page): Locator => page.getByRole("dialog", { name: "Other consoles" });
const kept = (page: Page): Locator => dialog(page).getByRole("list", { name: "Consoles that are kept" }).getByRole("listitem");
const members = (page: Page): Locator => dialog(page).getByRole("list", { name: "Consoles of members" }).getByRole("listitem");

async function manage(page: Page): Promise<void> {
  await open(page).click();
  await page.getByRole("menuitem", { name: "Other consoles…" }).click();
  await expect(dialog(page)).toBeVisible();
}

async function keep(page: Page, name: string, address: string): Promise<void> {
  await dialog(page).getByLabel("Name").fill(name);
  await dialog(page).getByLabel("Address").fill(address);
  await page.keyboard.press("Enter");
}

test("another member's console is three keys away, at the same key and revision", async ({ page }) => {
  const [one, two, three] = await Server.cluster(3);
  if (!one || !two || !three) throw new Error("three were asked for");
  try {
    const rev = await one.put("app/a", "first");
    await one.put("app/a", "second");
    await page.goto(one.page(`keys/app/a?rev=${rev}`));
    await expect(page.getByLabel("The value")).toHaveText("first");
    await expect(open(page)).toHaveText(new URL(one.url).host);
    await open(page).press("Enter");
    const items = page.getByRole("menuitem");
    await expect(items).toHaveText([new RegExp(`^m1.*${one.url}`), new RegExp(`^m2.*${two.url}`), new RegExp(`^m3.*${three.url}`), "Other consoles…"]);
    await expect(items.first()).toHaveAttribute("aria-disabled", "true");
    await expect(items.nth(1)).toHaveAttribute("href", `${two.url}/ui/#/keys/app/a?rev=${rev}`);
    await accessible(page);
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(`${two.url}/ui/#/keys/app/a?rev=${rev}`);
    await expect(page.getByLabel("The value")).toHaveText("first");
    await expect(open(page)).toHaveText(new URL(two.url).host);

    // By the palette, and with a member that does not answer.
    await shortcut(page, "Control+k");
    await page.keyboard.type("console of m3");
    await page.getByRole("option", { name: /^Console of m3/ }).click();
    await expect(page).toHaveURL(`${three.url}/ui/#/keys/app/a?rev=${rev}`);
    await expect(open(page)).toHaveText(new URL(three.url).host);
    await one.kill();
    await expect(async () => {
      await page.reload();
      await manage(page);
      await expect(members(page)).toHaveText([/^m1no answer/, /^m2/, /^m3this page’s/], { timeout: 2_000 });
    }).toPass();
    await accessible(page);
  } finally {
    for (const member of [one, two, three]) await member.end();
  }
});

test("others are kept by a name, lead to the same screen, and come and go by the keyboard and as a file", async ({ page, server }) => {
  const other = await Server.start();
  try {
    await server.put("app/a", "here");
    await other.put("app/a", "there");
    await page.goto(server.page("keys/app/a?rev=2"));
    await manage(page);
    await expect(dialog(page).getByRole("button", { name: "Export" })).toBeDisabled();
    for (const [address, why] of [
      ["localhost:2379", "http://HOST:PORT"],
      ["javascript:alert(1)", "http://HOST:PORT"],
      ["https://root:secret@db.example:2379", "a name or a password"],
      ["https://db.example/?token=x", "before the question mark"],
    ] as const) {
      await keep(page, "other", address);
      await expect(dialog(page).getByRole("status")).toContainText(why);
      await expect(dialog(page).getByRole("button", { name: "Keep" })).toBeDisabled();
    }
    expect(await page.evaluate(() => localStorage.getItem("keyport.consoles"))).toBeNull();
    await keep(page, "the other", `${other.url}/ui/#/overview`);
    await expect(kept(page)).toHaveText([`the other${other.url}`]);
    await keep(page, "this one", server.url);
    await expect(kept(page)).toHaveText([/^the other/, /^this one.*this page’s/]);
    await keep(page, "again", other.url);
    await expect(dialog(page).getByRole("status")).toHaveText("It is kept as the other.");
    await accessible(page);

    const told = page.waitForEvent("download");
    await dialog(page).getByRole("button", { name: "Export" }).click();
    const file = await (await told).path();
    expect(JSON.parse(await readFile(file, "utf8"))).toEqual([{ name: "the other", url: `${other.url}/ui/` }, { name: "this one", url: `${server.url}/ui/` }]);
    await kept(page).first().getByRole("button", { name: "Take the other away" }).press("Enter");
    await expect(kept(page)).toHaveCount(1);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Undo" }).last().click();
    await page.reload();
    await expect(open(page)).toHaveText("this one");

    // What is there has its own revisions, and its own list.
    await shortcut(page, "Control+k");
    await page.keyboard.type("console: the other");
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(`${other.url}/ui/#/keys/app/a`);
    await expect(page.getByLabel("The value")).toHaveText("there");
    await manage(page);
    await expect(kept(page)).toHaveCount(0);
    await dialog(page).getByLabel("A list of consoles").setInputFiles({ name: "list.json", mimeType: "application/json", buffer: Buffer.from('{"no": "list"}') });
    await expect(page.getByText("There is no list of consoles in list.json")).toBeVisible();
    const list = [...(JSON.parse(await readFile(file, "utf8")) as unknown[]), { name: "bad", url: "javascript:alert(1)" }];
    await dialog(page).getByLabel("A list of consoles").setInputFiles({ name: "list.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(list)) });
    await expect(page.getByText("2 consoles are kept now, 1 of the file left out")).toBeVisible();
    await expect(kept(page)).toHaveText([/^the other.*this page’s/, /^this one/]);
    await kept(page).nth(1).getByRole("link", { name: "this one" }).press("Enter");
    await expect(page).toHaveURL(`${server.url}/ui/#/keys/app/a`);
    await expect(page.getByLabel("The value")).toHaveText("here");
  } finally {
    await other.end();
  }
});

test("on a narrow page, and in a menu that was kept too much in", async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const many = Array.from({ length: 40 }, (_, at) => ({ name: `number ${String(at).padStart(2, "0")} of a great many servers`, url: `https://n${at}.${"a-long-name-".repeat(4)}x.example:2379/kv` }));
  await page.goto(server.page("users"));
  await page.evaluate((text) => localStorage.setItem("keyport.consoles", text), JSON.stringify(many));
  await page.reload();
  await open(page).click();
  // Those beyond the thirtieth were not kept by this page.
  await expect(page.getByRole("menuitem")).toHaveCount(32);
  await accessible(page);
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await expect(kept(page)).toHaveCount(30);
  await keep(page, "more", "http://more:2379");
  await expect(dialog(page).getByRole("status")).toContainText("There are 30");
  await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test.describe("members that say where no browser finds them", () => {
  test("are said to be, and the page below a path says that others are past the proxy", async ({ page }) => {
    const cluster = await Server.cluster(2, "--advertise-client-urls=http://0.0.0.0:2379");
    const [one] = cluster;
    const between = await proxied(one?.url ?? "");
    try {
      await page.goto(`${between.at}${PATH}/ui/#/keys`);
      await expect(rows(page)).toHaveCount(0);
      await expect(open(page)).toHaveText(`${new URL(between.at).host}${PATH}`);
      await open(page).click();
      await expect(page.getByRole("menuitem", { name: "m2" })).toHaveAttribute("aria-disabled", "true");
      await page.keyboard.press("End");
      await page.keyboard.press("Enter");
      await expect(members(page)).toHaveText([`m1this page’s${between.at}${PATH}`, /^m2.*It says 0\.0\.0\.0:2379, which is nowhere/]);
      await expect(members(page).getByRole("link")).toHaveCount(0);
      await expect(dialog(page)).toContainText(`past the proxy that has put ${PATH}/ before this page`);
      await accessible(page);
    } finally {
      between.end();
      for (const member of cluster) await member.end();
    }
  });
});

test.describe("where users are asked who they are", () => {
  test("nobody has to log in to go elsewhere", async ({ page, server }) => {
    await server.secure();
    await page.goto(server.page("keys"));
    await page.getByRole("dialog", { name: "Log in" }).press("Escape");
    await open(page).click();
    await expect(page.getByRole("menuitem", { name: "Other consoles…" })).toBeVisible();
    await expect(page.getByText("Asking for the members")).toHaveCount(0);
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await keep(page, "elsewhere", "http://elsewhere.example:2379");
    await expect(kept(page)).toHaveCount(1);
    await accessible(page);
  });
});
