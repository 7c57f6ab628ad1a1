// Below a path of its own, behind a proxy that nobody has told the console of.
import { once } from "node:events";
import { type Server as Proxy, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

import { accessible, expect, rows, test } from "../lib/test.ts";

const PATH = "/tools/kv";

/** Passes on what is below the path, streams too, and nothing else; what it keeps to itself it does not. */
async function proxy(to: string, kept?: string): Promise<Proxy> {
  const server = createServer((asked, answer) => {
    if (!asked.url?.startsWith(`${PATH}/`) || asked.url === kept) return void answer.writeHead(404).end();
    const onward = request(to + asked.url.slice(PATH.length), { method: asked.method ?? "GET", headers: asked.headers }, (told) => {
      answer.writeHead(told.statusCode ?? 502, told.headers);
      told.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
    return undefined;
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

test("it works below any path, live and writing", async ({ page, server }) => {
  const between = await proxy(server.url);
  try {
    const at = `http://127.0.0.1:${(between.address() as AddressInfo).port}`;
    await server.put("app/one", "1");
    await page.goto(`${at}${PATH}/`);
    await expect(page).toHaveURL(new RegExp(`${PATH}/ui/#/`));
    await page.goto(`${at}${PATH}/ui/#/keys/app/`);
    await expect(rows(page)).toHaveCount(1);
    await server.put("app/two", "2");
    await rows(page, { name: "two" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await expect(page.getByText("There is no such key")).toBeVisible();
    expect(await server.get("app/two")).toBeUndefined();
  } finally {
    between.closeAllConnections();
    between.close();
  }
});

test("metrics that are not passed on are said to be", async ({ page, server }) => {
  const between = await proxy(server.url, `${PATH}/metrics`);
  try {
    await page.goto(`http://127.0.0.1:${(between.address() as AddressInfo).port}${PATH}/ui/#/metrics`);
    await expect(page.getByRole("alert")).toContainText("answers /metrics with 404");
    await accessible(page);
  } finally {
    between.closeAllConnections();
    between.close();
  }
});
