// gRPC-Web in a browser, by a client of others (`@connectrpc/connect-web`): every RPC that the server says it has.
import { RPCS } from "../lib/rpcs.ts";
import { code } from "../lib/rpcs/row.ts";
import { Server, freePort } from "../lib/server.ts";
import { stockClient } from "../lib/stock.ts";
import { expect, test } from "../lib/test.ts";

test("every RPC of every service is called from a page, and answers what it should", async ({ page }) => {
  // Members are other origins to one another.
  const members = await Server.cluster(3, "--cors=*");
  const port = await freePort();
  try {
    const [first] = members;
    if (!first) throw new Error("no server");
    await page.exposeFunction("startsTheFourth", async () => { members.push(await Server.joining(members, port)); });
    const stock = await stockClient(page, first);
    const kinds = await stock.evaluate(({ methods }) => methods);
    expect(Object.values(kinds).filter((kind) => kind === "unary").length).toBeGreaterThan(40);
    expect(Object.keys(RPCS).sort(), "a row for each, and none of what is not there").toEqual(Object.keys(kinds).sort());
    const given = { peer: `http://127.0.0.1:${port}`, starts: "startsTheFourth" };
    for (const [name, { play, gives }] of Object.entries(RPCS)) {
      await test.step(name, async () => {
        await stock.evaluate(({ taken }) => { taken(); });
        expect.soft(await stock.evaluate(play, given), name).toEqual(gives);
        expect.soft(await stock.evaluate(({ taken }) => taken()), "what was called").toContain(name);
      });
    }
  } finally {
    for (const member of members) await member.end();
  }
});

test("a call is refused in the client's terms: its code, its words, its deadline", async ({ page, server }) => {
  const stock = await stockClient(page, server);
  const told = await stock.evaluate(async ({ kv, lock, bytes, refusal }) => {
    await lock.lock({ name: bytes("held") });
    return [
      await refusal(kv.range({})),
      await refusal(kv.put({ key: bytes("k"), lease: 12345n })),
      await refusal(lock.lock({ name: bytes("held") }, { timeoutMs: 300 })),
    ];
  });
  expect(told[0]).toEqual([code.INVALID_ARGUMENT, "etcdserver: key is not provided"]);
  expect(told[1]).toEqual([code.NOT_FOUND, "etcdserver: requested lease not found"]);
  expect(told[2]?.[0]).toBe(code.DEADLINE_EXCEEDED);
});
