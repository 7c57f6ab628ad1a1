// The client that openapi-typescript and openapi-fetch make. Usage `openapi-fetch.js URL`.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";
import { pieces } from "./stream.js";

type WatchEvent = components["schemas"]["WatchEvent"];

const client = createClient<paths>({ baseUrl: process.argv[2] });
const raw = { bodySerializer: (body: unknown) => String(body), headers: { "Content-Type": "application/octet-stream" } };
const path = { key: "fetch/a" };

// Keys as resources.
const made = await client.PUT("/v3/keys/{key}", { params: { path }, body: "one", ...raw });
assert.equal(made.response.status, 201);
const revision: string | undefined = made.data?.mod_revision;
assert.match(revision ?? "", /^[0-9]+$/);
const got = await client.GET("/v3/keys/{key}", { params: { path }, headers: { Accept: "application/json" } });
assert.ok(typeof got.data === "object" && "value" in got.data);
assert.equal(got.data.value, "one");
const text = await client.GET("/v3/keys/{key}", { params: { path }, parseAs: "text" });
assert.equal(text.data, "one");
const list = await client.GET("/v3/keys", { params: { query: { prefix: "fetch/" } } });
assert.ok(list.data && "keys" in list.data);
assert.deepEqual(list.data.keys.map(({ key }) => key), ["fetch/a"]);

// What is refused is a problem.
const refused = await client.PUT("/v3/keys/{key}", { params: { path, query: { create: true } }, body: "two", ...raw });
assert.equal(refused.response.status, 412);
const problem: components["schemas"]["Problem"] | undefined = refused.error;
assert.equal(problem?.status, 412);
assert.equal(problem?.title, "The key is not what it has to be");

// The gateway.
const put = await client.POST("/v3/kv/put", { body: { key: btoa("fetch/b"), value: btoa("two") } });
assert.ok(put.data?.header.revision);
const range = await client.POST("/v3/kv/range", { body: { key: btoa("fetch/b") } });
assert.equal(range.data?.kvs?.[0]?.value, btoa("two"));
const missing = await client.POST("/v3/lease/revoke", { body: { ID: "1" } });
assert.equal(missing.error?.message, "etcdserver: requested lease not found");

// A lease.
const lease = await client.POST("/v3/leases", { body: { ttl: 60 } });
assert.ok(lease.data);
const { id } = lease.data;
const bound = await client.PUT("/v3/keys/{key}", { params: { path: { key: "fetch/c" }, query: { lease: id } }, body: "x", ...raw });
assert.equal(bound.data?.lease, id);
const shown = await client.GET("/v3/leases/{id}", { params: { path: { id }, query: { keys: true } } });
assert.equal(shown.data?.keys?.[0]?.key, "fetch/c");
assert.equal((await client.DELETE("/v3/leases/{id}", { params: { path: { id } } })).response.status, 204);

// Streams: lines, events, and the gateway's own.
async function firstPut(accept: string, separator: string, read: (piece: string) => WatchEvent): Promise<WatchEvent> {
  const query = { prefix: ["fetch/"], initial: true };
  const { data } = await client.GET("/v3/watch", { params: { query }, headers: { Accept: accept }, parseAs: "stream" });
  assert.ok(data);
  for await (const piece of pieces(data, separator)) {
    const event = read(piece);
    if (event.event === "put") return event;
  }
  throw new Error("the stream has ended");
}
const events = (piece: string): WatchEvent => {
  const fields = Object.fromEntries(piece.split("\n").map((line) => line.split(/: (.*)/s, 2)));
  return { ...fields, data: JSON.parse(fields.data) };
};
for (const event of [
  await firstPut("application/x-ndjson", "\n", (line) => JSON.parse(line)),
  await firstPut("text/event-stream", "\n\n", events),
]) {
  assert.ok(event.event === "put" && "key" in event.data);
  assert.equal(event.data.key, "fetch/a");
}
const watch = await client.POST("/v3/watch", {
  body: { create_request: { key: btoa("fetch/a"), start_revision: revision } },
  headers: { Accept: "application/x-ndjson" }, parseAs: "stream",
});
assert.equal(watch.response.headers.get("content-type"), "application/x-ndjson");
assert.ok(watch.data);
for await (const line of pieces(watch.data, "\n")) {
  const { result, error }: components["schemas"]["etcdserverpb.WatchResponseLine"] = JSON.parse(line);
  assert.equal(error, undefined);
  if (!result?.events) continue;
  assert.equal(result.events[0]?.kv.value, btoa("one"));
  break;
}

assert.equal((await client.DELETE("/v3/keys/{key}", { params: { path } })).response.status, 204);
const gone = await client.POST("/v3/kv/deleterange", { body: { key: btoa("fetch/b") } });
assert.equal(gone.data?.deleted, "1");
process.exit(0);
