// Encrypted: the console over https, with a certificate of an authority that only this browser trusts, and a login whose cookie stays there.
import { type Browser, type BrowserContext, chromium, test as base, expect } from "@playwright/test";

import { logIn } from "../lib/login.ts";
import { Server, freePort } from "../lib/server.ts";
import { accessible, rows } from "../lib/test.ts";
import { type Authority, authority } from "../lib/tls.ts";

interface Encrypted {
  ours: Authority;
  port: number;
  /** It listens unencrypted, too, where the spec makes its own calls. */
  server: Server;
}

const test = base.extend<Encrypted>({
  ours: async ({}, use) => {
    const ours = authority();
    await use(ours);
    ours.end();
  },
  port: async ({}, use) => use(await freePort()),
  server: async ({ ours, port }, use) => {
    const server = await Server.also(`https://127.0.0.1:${port}`, `--cert-file=${ours.certificate}`, `--key-file=${ours.key}`);
    await use(server);
    await server.end();
  },
});

/** A browser of somebody at home there. */
async function browserOf(home: string): Promise<Browser> {
  const { launchOptions } = base.info().project.use;
  return chromium.launch({ ...launchOptions, env: { ...process.env, HOME: home } as Record<string, string> });
}

async function openedBy(context: BrowserContext, at: string): Promise<string> {
  const page = await context.newPage();
  return page.goto(at).then((answer) => `${answer?.status()}`, (error: Error) => error.message);
}

test("over https one logs in, edits and sees changes; the cookie is for nothing else", async ({ ours, port, server }) => {
  await server.put("app/text", "before");
  await server.secure();
  const at = `https://127.0.0.1:${port}`;
  const browser = await browserOf(ours.home);
  try {
    const context = await browser.newContext({ reducedMotion: "reduce" });
    const page = await context.newPage();
    const heard: string[] = [];
    page.on("console", (message) => { if (message.type() === "error") heard.push(message.text()); });
    page.on("pageerror", (error) => heard.push(String(error)));
    await page.goto(`${at}/ui/#/keys/app/text`);
    await logIn(page, { user: "root", password: "secret" });
    await expect(page.getByLabel("The value")).toHaveText("before");

    // Scripts do not see it, plain connections do not carry it, and pages of others do not send it.
    const cookies = await context.cookies();
    expect(cookies).toHaveLength(1);
    expect(cookies[0]).toMatchObject({ secure: true, httpOnly: true, sameSite: "Strict", path: "/" });
    expect(await page.evaluate(() => document.cookie)).toBe("");
    const plain = { headers: { cookie: `${cookies[0]?.name}=${cookies[0]?.value}` } };
    expect((await fetch(`${server.url}/v3/keys/app/text`, plain)).status).toBe(401);

    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("textbox", { name: "The value" }).fill("after");
    await page.getByRole("button", { name: "Save…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByText(/^Saved at revision/)).toBeVisible();
    await expect(page.getByLabel("The value")).toHaveText("after");
    const basic = { authorization: `Basic ${Buffer.from("root:secret").toString("base64")}` };
    await server.call("POST", "/v3/keys:batch", { operations: [{ put: { key: "app/other", value: "x" } }] }, basic);
    await expect(rows(page)).toHaveCount(2);
    await accessible(page);

    // What a browser takes over an encrypted connection: one of many streams, and the shorter form of files.
    const loaded = await page.evaluate(() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .map((entry) => (entry as PerformanceResourceTiming).nextHopProtocol).filter((protocol) => protocol !== ""));
    expect(new Set(loaded)).toEqual(new Set(["h2"]));
    const script = await page.evaluate(() => document.querySelector("script")?.src ?? "");
    const [reloaded] = await Promise.all([page.waitForResponse(script), page.evaluate((url) => fetch(url, { cache: "reload" }).then((answer) => answer.text()), script)]);
    expect(reloaded.headers()["content-encoding"]).toBe("br");
    expect(heard.filter((line) => !/Failed to load resource/.test(line))).toEqual([]);
  } finally {
    await browser.close();
  }
});

test("a browser that does not trust the authority shows no page", async ({ port, server }) => {
  expect(server.url).toContain("127.0.0.1");
  const home = authority();
  const browser = await browserOf(home.home);
  try {
    expect(await openedBy(await browser.newContext(), `https://127.0.0.1:${port}/ui/`)).toContain("ERR_CERT_AUTHORITY_INVALID");
  } finally {
    await browser.close();
    home.end();
  }
});
