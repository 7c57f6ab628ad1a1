// Backup: a snapshot, a subtree as a file, and back with a look at what would change.
import { readFile } from "node:fs/promises";

import { accessible, expect, test } from "../lib/test.ts";

async function text(path: string): Promise<string> {
  return readFile(path, "utf8");
}

test("a subtree goes out and comes back, guarded by what was compared", async ({ page, server }) => {
  await server.put("app/a", "1");
  await server.put("app/b", JSON.stringify({ host: "db1" }));
  await server.put("app/bytes", Uint8Array.of(0, 0xff));
  await server.put("other", "stays");
  await page.goto(server.page("backup?prefix=app/"));
  await accessible(page);
  const lines = page.waitForEvent("download");
  await page.getByRole("link", { name: "NDJSON" }).click();
  const ndjson = await text(await (await lines).path());
  expect(ndjson.trimEnd().split("\n")).toHaveLength(3);
  const document = page.waitForEvent("download");
  await page.getByRole("button", { name: "JSON", exact: true }).click();
  const told = JSON.parse(await text(await (await document).path())) as { keys: { key: string }[] };
  expect(told.keys.map(({ key }) => key)).toEqual(["app/a", "app/b", "app/bytes"]);

  await server.put("app/b", JSON.stringify({ host: "db2" }));
  await server.call("DELETE", "/v3/keys/app/a");
  await server.put("app/new", "not in the file");
  const file = page.getByLabel("A file: NDJSON, JSON or YAML");
  await file.setInputFiles({ name: "app.ndjson", mimeType: "application/x-ndjson", buffer: Buffer.from(ndjson) });
  const changes = page.getByRole("list", { name: "What would change" }).getByRole("listitem");
  await expect(changes).toHaveText([/new.*app\/a/, /changed.*app\/b/]);
  await expect(page.getByText("1 other key stays")).toBeVisible();
  await changes.nth(1).getByRole("button").click();
  await expect(page.getByRole("region", { name: "What changes" })).toContainText('added:   "host": "db1"');
  await accessible(page);
  expect(await server.get("app/a")).toBeUndefined();

  await page.getByLabel("Delete keys that are not in the file").check();
  await expect(changes).toHaveCount(3);
  await page.getByRole("button", { name: "Import…" }).click();
  const sure = page.getByRole("dialog", { name: "Change 3 keys?" });
  await sure.getByLabel("Type delete 1 to confirm").fill("delete 1");
  await accessible(page);
  // Somebody is quicker: nothing is written.
  await server.put("app/b", "theirs");
  await sure.getByRole("button", { name: "Import" }).click();
  await expect(sure.getByRole("alert")).toContainText("Nothing was written");
  expect([await server.get("app/a"), await server.get("app/b"), await server.get("app/new")]).toEqual([undefined, "theirs", "not in the file"]);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Compare again" }).click();
  await page.getByRole("button", { name: "Import…" }).click();
  await sure.getByLabel("Type delete 1 to confirm").fill("delete 1");
  await sure.getByRole("button", { name: "Import" }).click();
  await expect(page.getByText("Imported: 3 keys have changed")).toBeVisible();
  expect([await server.get("app/a"), await server.get("app/b"), await server.get("app/new"), await server.get("other")]).toEqual(["1", '{"host":"db1"}', undefined, "stays"]);
  await file.setInputFiles({ name: "bad.json", mimeType: "application/json", buffer: Buffer.from('{"key":"a","value":"1"}\nnonsense') });
  await expect(page.getByRole("alert")).toContainText("Line 2 is no JSON");
});

test("YAML comes in as it is written, and its library with it", async ({ page, server }) => {
  const loaded: string[] = [];
  page.on("request", (request) => { if (/\/ui\/yaml-.*\.js$/.test(request.url())) loaded.push(request.url()); });
  await server.put("app/port", "8079");
  await page.goto(server.page("backup"));
  const file = page.getByLabel("A file: NDJSON, JSON or YAML");
  const give = (text: string) => file.setInputFiles({ name: "app.yaml", mimeType: "application/yaml", buffer: Buffer.from(text) });
  await expect(file).toBeVisible();
  expect(loaded).toEqual([]);
  await give("# settings\napp/port: 8080\napp/version: 1.10\napp/on: yes\napp/empty: \"\"\napp/motd: |\n  Be kind.\n  Always.\n");
  const changes = page.getByRole("list", { name: "What would change" }).getByRole("listitem");
  await expect(changes).toHaveText([/new.*app\/empty/, /new.*app\/motd/, /new.*app\/on/, /changed.*app\/port/, /new.*app\/version/]);
  expect(loaded).toHaveLength(1);
  await accessible(page);
  await page.getByRole("button", { name: "Import…" }).click();
  await page.getByRole("dialog", { name: "Change 5 keys?" }).getByRole("button", { name: "Import" }).click();
  await expect(page.getByText("Imported: 5 keys have changed")).toBeVisible();
  const now = await Promise.all(["port", "version", "on", "empty", "motd"].map((name) => server.get(`app/${name}`)));
  expect(now).toEqual(["8080", "1.10", "yes", "", "Be kind.\nAlways.\n"]);

  await give("- key: app/port\n  value: 8080\n- key_b64: AP8=\n  value_b64: /w==\n");
  await expect(changes).toHaveText([/new.*\\x00\\xff/]);
  await give("app/port:\n  nested: 1\n");
  await expect(page.getByRole("alert")).toContainText("Key 1, app/port, has a value that is no text");
  await give("app/a: 1\napp/a: 2\n");
  await expect(page.getByRole("alert")).toContainText("unique");
});

test("a snapshot is downloaded whole", async ({ page, server }) => {
  await server.put("app/a", "in the snapshot");
  await page.goto(server.page("backup"));
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download a snapshot" }).click();
  const bytes = await readFile(await (await download).path());
  expect(bytes.length).toBeGreaterThan(16_384);
  expect(bytes.includes("in the snapshot")).toBe(true);
});
