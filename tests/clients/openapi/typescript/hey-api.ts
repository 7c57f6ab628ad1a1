// The client that hey-api makes. Usage `hey-api.js URL`.
import assert from "node:assert/strict";
import { client } from "./hey/client.gen.js";
import * as api from "./hey/index.js";

client.setConfig({ baseUrl: process.argv[2] });
const bytes = (text: string) => new Blob([text]);
const path = { key: "hey/a" };

// Keys as resources.
const made = await api.keysPut({ path, body: bytes("one") });
assert.equal(made.response?.status, 201);
assert.match(made.data?.mod_revision ?? "", /^[0-9]+$/);
const got = await api.keysGet({ path, headers: { Accept: "application/json" } as never });
assert.ok(got.data && "value" in got.data);
assert.equal(got.data.value, "one");
const list = await api.keysList({ query: { prefix: "hey/" } });
assert.ok(list.data && "keys" in list.data);
assert.deepEqual(list.data.keys.map(({ key }) => key), ["hey/a"]);

// What is refused is a problem.
const refused = await api.keysPut({ path, query: { create: true }, body: bytes("two") });
assert.ok(refused.error && "title" in refused.error);
const problem: api.Problem = refused.error;
assert.deepEqual([problem.status, problem.title], [412, "The key is not what it has to be"]);

// The gateway.
const put = await api.kvPut({ body: { key: btoa("hey/b"), value: btoa("two") } });
assert.ok(put.data?.header.revision);
const range = await api.kvRange({ body: { key: btoa("hey/b") } });
assert.equal(range.data?.kvs?.[0]?.value, btoa("two"));

// A lease.
const lease = await api.leasesGrant({ body: { ttl: 60 } });
assert.ok(lease.data);
const { id } = lease.data;
const bound = await api.keysPut({ path: { key: "hey/c" }, query: { lease: id }, body: bytes("x") });
assert.equal(bound.data?.lease, id);
assert.equal((await api.leasesShow({ path: { id }, query: { keys: true } })).data?.keys?.[0]?.key, "hey/c");
assert.equal((await api.leasesRevoke({ path: { id } })).response?.status, 204);

// Events: the generator reads the stream, and hands out the data of each; names and ids come beside it.
const stop = new AbortController();
const seen: string[] = [];
const { stream } = await api.watchEvents({
  query: { prefix: ["hey/"], initial: true }, signal: stop.signal, onSseEvent: ({ event, id }) => seen.push(`${event} ${id !== undefined}`),
});
for await (const _ of stream) {
  if (seen.includes("synced true")) break;
}
stop.abort();
assert.deepEqual(seen, ["opened true", "put true", "put true", "synced true"]);

// Lines.
const lines = new AbortController();
const watch = await api.watch({
  body: { create_request: { key: btoa("hey/a") } }, headers: { Accept: "application/x-ndjson" },
  parseAs: "stream", signal: lines.signal,
});
const reader = (watch.data as unknown as ReadableStream<Uint8Array>).getReader();
const line: api.EtcdserverpbWatchResponseLine = JSON.parse(new TextDecoder().decode((await reader.read()).value));
assert.equal(line.result?.created, true);
lines.abort();

assert.equal((await api.keysDelete({ path })).response?.status, 204);
assert.equal((await api.kvDeleteRange({ body: { key: btoa("hey/b") } })).data?.deleted, "1");
process.exit(0);
