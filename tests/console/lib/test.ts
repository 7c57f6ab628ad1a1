// What every spec begins with: a server of its own, and a page that must not complain.
import { existsSync } from "node:fs";
import { join } from "node:path";

import { AxeBuilder } from "@axe-core/playwright";
import { type BrowserContext, type Locator, type Page, test as base, expect } from "@playwright/test";

import { Server } from "./server.ts";

interface Given {
  /** What a server of this spec is started with. */
  flags: string[];
  server: Server;
  /** What the page's console says of errors, its policy among them; what a spec expects there it takes out. */
  complaints: string[];
}

/** A console that has been built by itself, to be played without building the server: its files instead of the embedded ones. */
const FILES = process.env.KEYPORT_CONSOLE_FILES;

async function serveFiles(context: BrowserContext, folder: string): Promise<void> {
  await context.route(/\/ui\/[^/]*$/, async (route) => {
    const { origin, pathname } = new URL(route.request().url());
    const at = pathname.lastIndexOf("/ui/");
    const name = pathname.slice(at + "/ui/".length) || "index.html";
    // What the server led to by itself is its own.
    if (!existsSync(join(folder, name))) return route.continue();
    if (name !== "index.html") return route.fulfill({ path: join(folder, name) });
    const { "content-security-policy": policy = "" } = (await route.fetch({ url: `${origin}${pathname.slice(0, at)}/ui/` })).headers();
    return route.fulfill({ path: join(folder, name), headers: { "content-security-policy": policy } });
  });
}

export const test = base.extend<Given>({
  flags: [[], { option: true }],
  server: async ({ flags }, use) => {
    const server = await Server.start(...flags);
    await use(server);
    await server.end();
  },
  complaints: [
    async ({ page }, use) => {
      const heard: string[] = [];
      if (FILES) await serveFiles(page.context(), FILES);
      page.on("console", (message) => { if (message.type() === "error") heard.push(message.text()); });
      page.on("pageerror", (error) => heard.push(String(error)));
      await use(heard);
      // That a request was refused, or nobody answered, is for the page to tell.
      expect(heard.filter((line) => !/Failed to load resource|ERR_/.test(line))).toEqual([]);
    },
    { auto: true },
  ],
});

/** Nothing on the page keeps somebody from using it, in either colours. */
export async function accessible(page: Page): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await expect(page.locator("html")).toHaveAttribute("data-theme", colorScheme);
    const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]).analyze();
    const said = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary ?? ""}`).join("\n")}`);
    expect(said).toEqual([]);
  }
}

/** A letter that does something. While a dialog is open it does not, and one that has done its work may not be gone yet. */
export async function shortcut(page: Page, key: string): Promise<void> {
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.keyboard.press(key);
}

/** What is on the clipboard comes to be `what`: the page copies in its own time. */
export async function copied(page: Page, what: RegExp): Promise<void> {
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toMatch(what);
}

/** The rows of the list of keys; all of them, or that of a name. */
export function rows(page: Page, named: { name?: string } = {}): Locator {
  return page.getByRole("listbox", { name: /^(Keys and levels|What was found)$/ }).getByRole("option", named);
}

export { expect };
