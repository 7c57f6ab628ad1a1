// Backup: a snapshot, a subtree as a file, and back with a look at what would change.
import { readFile } from "node:fs/promises";

import type { Server } from "../lib/server.ts";
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
  await page.getByRole("button", { name: "NDJSON", exact: true }).click();
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

/** The ids of all leases that there are. */
async function leasesOf(server: Server): Promise<string[]> {
  const { leases } = (await server.call("GET", "/v3/leases")) as { leases: { id: string }[] };
  return leases.map(({ id }) => id);
}

async function lease(server: Server, key: string): Promise<{ id: string; granted: string } | undefined> {
  const kv = (await fetch(`${server.url}/v3/keys/${key}`)).headers.get("keyport-lease");
  if (kv === null) return undefined;
  const told = (await server.call("GET", `/v3/leases/${kv}`)) as { granted_ttl: string };
  return { id: kv, granted: told.granted_ttl };
}

for (const format of ["NDJSON", "JSON", "YAML"] as const) {
  test(`${format}: keys go out with their times to live, and come back with them`, async ({ page, server }) => {
    await server.call("POST", "/v3/leases", { ttl: 600, id: 7 });
    await server.call("POST", "/v3/leases", { ttl: 90_000, id: 8 });
    await server.put("here/m1", "up", "?lease=7");
    await server.put("here/m2", Uint8Array.of(0, 0xff), "?lease=7");
    await server.put("here/m3", "up", "?lease=8");
    await server.put("here/stays", "1.10");
    await page.goto(server.page("backup?prefix=here/"));
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: format, exact: true }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe(`here.${format.toLowerCase()}`);
    const told = await text(await file.path());
    expect(told.match(/lease_granted_ttl"?: ?"600"/g)).toHaveLength(2);
    expect(told.match(/lease_granted_ttl"?: ?"90000"/g)).toHaveLength(1);
    expect(told.match(/lease_ttl"?: ?"\d+"/g)).toHaveLength(3);
    for (const id of ["7", "8"]) await server.call("DELETE", `/v3/leases/${id}`);
    expect(await server.get("here/m1")).toBeUndefined();
    await server.call("POST", "/v3/leases", { ttl: 1_000, id: 9 });
    await server.put("here/m3", "up", "?lease=9");

    const given = { name: file.suggestedFilename(), mimeType: "", buffer: Buffer.from(told) };
    await page.getByLabel("A file: NDJSON, JSON or YAML").setInputFiles(given);
    const keep = page.getByLabel("Keep times to live");
    await expect(keep).toBeChecked();
    const changes = page.getByRole("list", { name: "What would change" }).getByRole("listitem");
    await expect(changes).toHaveText([/new.*here\/m1lives 10 min.*one lease for 2 keys/, /new.*here\/m2lives 10 min.*one lease for 2 keys/]);
    await expect(page.getByText("1 lease granted")).toBeVisible();
    await accessible(page);
    await keep.uncheck();
    await expect(page.getByText("1 lease granted")).toHaveCount(0);
    await expect(changes).toHaveText([/new.*here\/m1/, /new.*here\/m2/]);
    await keep.check();
    await expect(page.getByText("1 lease granted")).toBeVisible();
    await page.getByRole("button", { name: "Import…" }).click();
    const sure = page.getByRole("dialog", { name: "Change 2 keys?" });
    await expect(sure).toContainText("1 lease is granted, from now on for as long as in the file");
    await accessible(page);
    await sure.getByRole("button", { name: "Import" }).click();
    await expect(page.getByText("Imported: 2 keys have changed")).toBeVisible();
    const [one, other, own, none] = await Promise.all(["m1", "m2", "m3", "stays"].map((name) => lease(server, `here/${name}`)));
    expect(one).toEqual({ id: other?.id, granted: "600" });
    expect([own?.id, none]).toEqual(["9", undefined]);
    expect(await server.get("here/stays")).toBe("1.10");
    expect(await leasesOf(server)).toHaveLength(2);
  });
}

test("an import that is refused leaves no lease behind, and a file without times to live is taken", async ({ page, server }) => {
  await page.goto(server.page("backup"));
  const file = page.getByLabel("A file: NDJSON, JSON or YAML");
  const give = (lines: string) => file.setInputFiles({ name: "a.ndjson", mimeType: "application/x-ndjson", buffer: Buffer.from(lines) });
  await give('{"key":"a","value":"1","lease":"7","lease_granted_ttl":"600"}\n{"key":"b","value":"2","lease":"8","lease_granted_ttl":"700"}\n');
  await expect(page.getByText("2 leases granted")).toBeVisible();
  await page.getByRole("button", { name: "Import…" }).click();
  // Somebody is quicker.
  await server.put("b", "theirs");
  const sure = page.getByRole("dialog", { name: "Change 2 keys?" });
  await sure.getByRole("button", { name: "Import" }).click();
  await expect(sure.getByRole("alert")).toContainText("Nothing was written: compare again. 2 leases that were granted for it are revoked.");
  expect(await leasesOf(server)).toEqual([]);
  expect([await server.get("a"), await server.get("b")]).toEqual([undefined, "theirs"]);
  await accessible(page);
  await page.keyboard.press("Escape");

  // As files were before they told more than that there was a lease.
  await give('{"key":"a","value":"1","lease":"7"}\n');
  await expect(page.getByRole("list", { name: "What would change" }).getByRole("listitem")).toHaveText([/new.*a/]);
  await expect(page.getByLabel("Keep times to live")).toHaveCount(0);
  await give('{"key":"a","value":"1","lease":"7","lease_granted_ttl":"soon"}\n');
  await expect(page.getByRole("alert")).toContainText("Key 1 has a time to live that is no number of seconds");
});
