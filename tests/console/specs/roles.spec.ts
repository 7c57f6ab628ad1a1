// Every screen for whoever looks at it: without authentication, as root, as somebody who may read some keys, and as somebody who may
// nothing. What roles do not permit is said, with what they do; nothing is blank, and nothing offered that would be refused.
import type { BrowserContext, Page } from "@playwright/test";

import { accessible, expect, test } from "../lib/test.ts";
import type { Server } from "../lib/server.ts";

const LEASE = "77";

/** What each screen shows to whom: a text that has to be there, or several. */
interface Look {
  at: string;
  all: RegExp;
  reader: RegExp;
  nobody: RegExp;
}

const refused = (wish: string) => (who: string) => new RegExp(`Your roles do not permit it.*${who} may not ${wish}`, "s");
const both = (wish: string) => ({ reader: refused(wish)("reader"), nobody: refused(wish)("nobody") });
const LOOKS: readonly Look[] = [
  { at: "overview", all: /All is well.*The asked member/s, reader: /All is well.*for users with the role root/s, nobody: /All is well.*for users with the role root/s },
  { at: "keys", all: /New key.*app\/.*other\//s, ...both("read all keys") },
  { at: "keys/app/", all: /1 here/, reader: /1 here/, nobody: refused("read all keys below app/")("nobody") },
  { at: "keys/app/a", all: /Edit.*Changed at/s, reader: /not change it.*Changed at/s, nobody: refused("read this key")("nobody") },
  { at: "keys/other/b", all: /Edit.*Changed at/s, ...both("read this key") },
  { at: "watch?prefix=app/", all: /Waiting for a change/, reader: /Waiting for a change/, nobody: refused("watch all of these keys")("nobody") },
  { at: "watch?prefix=other/", all: /Waiting for a change/, ...both("watch all of these keys") },
  { at: "leases", all: /2 leases/, ...both("see all leases") },
  { at: `leases/${LEASE}`, all: /granted for 10 min.*here\/a/s, ...both("see this lease") },
  { at: "locks", all: /jobs\/nightly/, ...both("look for locks among all keys") },
  { at: "locks/jobs/nightly", all: /holds it/, ...both("read the keys of the line, those below jobs/nightly/") },
  { at: "members", all: /Add a member.*none may fail/s, reader: /Changing members is for users with the role root/, nobody: /Changing members is for users with the role root/ },
  { at: "warnings", all: /Nothing to warn of|lines?$/m, ...both("see what the log says") },
  { at: "users", all: /New user.*New role/s, reader: /for root to see.*Reads.*app\/…/s, nobody: /for root to see.*Reads.*nothing/s },
  {
    at: "backup", all: /Download a snapshot.*NDJSON.*Import a subtree/s,
    reader: /for users with the role root.*do not let you read all keys.*let you change none/s, nobody: /for users with the role root.*do not let you read all keys.*let you change none/s,
  },
  { at: "backup?prefix=app/", all: /NDJSON/, reader: /NDJSON/, nobody: /do not let you read all keys that begin with app\// },
  { at: "explorer/kvRange", all: /POST.*\/v3\/kv\/range/s, reader: /POST.*\/v3\/kv\/range/s, nobody: /POST.*\/v3\/kv\/range/s },
];

async function filled(server: Server): Promise<void> {
  await server.put("app/a", "1");
  await server.put("other/b", "2");
  await server.call("POST", "/v3/leases", { ttl: "600", id: BigInt(`0x${LEASE}`).toString() });
  await server.put("here/a", "up", `?lease=${BigInt(`0x${LEASE}`)}`);
  const lock = await fetch(`${server.url}/v3/locks/jobs/nightly?ttl=600`, { method: "POST", body: "me" });
  expect(lock.status).toBe(201);
}

/** Users on: root, one who reads what is below `app/`, and one without a role. */
async function secured(server: Server): Promise<void> {
  for (const name of ["reader", "nobody"]) await server.call("POST", "/v3/users", { name, password: "secret" });
  await server.call("POST", "/v3/roles", { name: "readers" });
  await server.call("POST", "/v3/roles/readers/permissions", { permission: "read", prefix: "app/" });
  await server.call("PUT", "/v3/users/reader/roles/readers");
  await server.secure();
}

/** As the login does; the cookie is the browser's. */
async function logIn(context: BrowserContext, server: Server, name: string): Promise<void> {
  const answer = await context.request.post(`${server.url}/v3/session`, { data: { name, password: "secret" } });
  expect(answer.status()).toBe(200);
}

/** Opens a screen anew, and waits for what it has to show. */
async function looks(page: Page, server: Server, at: string, expected: RegExp): Promise<void> {
  await page.goto("about:blank");
  await page.goto(server.page(at));
  const main = page.locator("main");
  await expect(main, at).toContainText(expected, { useInnerText: true });
  // A server that refuses is there.
  await expect(main, at).not.toContainText("The server does not answer");
  await expect(main.getByText("etcdserver:"), at).toHaveCount(0);
  await expect(main.getByText(/^Loading/), at).toHaveCount(0);
}

test("while nobody is asked who he is, every screen shows all", async ({ page, server }) => {
  await filled(server);
  for (const { at, all } of LOOKS) await looks(page, server, at, all);
});

test("root sees all of it", async ({ page, server, context }) => {
  await filled(server);
  await secured(server);
  await logIn(context, server, "root");
  for (const { at, all } of LOOKS) await looks(page, server, at, all);
});

for (const who of ["reader", "nobody"] as const) {
  test(`${who} is told what is missing, on every screen`, async ({ page, server, context }) => {
    test.slow();
    await filled(server);
    await secured(server);
    await logIn(context, server, who);
    for (const look of LOOKS) {
      await looks(page, server, look.at, look[who]);
      await expect(page.getByRole("button", { name: /^(New key|Add a member|Defragment…|Edit|Delete|New user|New role)$/ }), look.at).toHaveCount(0);
      if (who === "nobody") await accessible(page);
    }
  });
}

test("what may be read is a click away, and a role that is given shows at once", async ({ page, server, context }) => {
  await filled(server);
  await secured(server);
  await logIn(context, server, "reader");
  await page.goto(server.page("keys"));
  await page.getByRole("link", { name: "app/…" }).click();
  await expect(page.getByRole("option", { name: /^a/ })).toBeVisible();
  await page.goto(server.page("watch?prefix=other/"));
  await expect(page.getByText("Your roles do not permit it")).toBeVisible();
  const basic = `Basic ${Buffer.from("root:secret").toString("base64")}`;
  await server.call("POST", "/v3/roles/readers/permissions", { permission: "read", prefix: "other/" }, { authorization: basic });
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("Waiting for a change")).toBeVisible();
});
