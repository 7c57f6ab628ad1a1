// The client that openapi-generator makes for TypeScript. Usage `generator.js URL`.
import assert from "node:assert/strict";
import * as api from "./generator/index.js";
import { pieces } from "./stream.js";

const configuration = new api.Configuration({ basePath: process.argv[2] });
const [keys, kv, leases, watches] = [
  new api.KeysApi(configuration), new api.KVApi(configuration), new api.LeasesApi(configuration), new api.WatchApi(configuration),
];
const bytes = (text: string) => new Blob([text]) as api.HttpFile;

// Keys as resources.
const made = await keys.keysPutRaw({ key: "generator/a", body: bytes("one") });
assert.equal(made.raw.status, 201);
assert.match((await made.value()).modRevision, /^[0-9]+$/);
assert.equal(await (await keys.keysGet({ key: "generator/a" })).text(), "one");
const list = await keys.keysList({ prefix: "generator/" });
assert.deepEqual(list.keys.map(({ key }) => key), ["generator/a"]);

// What is refused is a problem.
const refused = await keys.keysPut({ key: "generator/a", create: true, body: bytes("two") }).catch((error) => error);
assert.ok(refused instanceof api.ResponseError);
const problem = api.ProblemFromJSON(await refused.response.json());
assert.deepEqual([problem.status, problem.title], [412, "The key is not what it has to be"]);

// The gateway.
await kv.kvPut({ etcdserverpbPutRequest: { key: btoa("generator/b"), value: btoa("two") } });
const range = await kv.kvRange({ etcdserverpbRangeRequest: { key: btoa("generator/b") } });
assert.equal(range.kvs?.[0]?.value, btoa("two"));

// A lease.
const { id } = await leases.leasesGrant({ leaseWish: { ttl: 60 as never } });
const bound = await keys.keysPut({ key: "generator/c", lease: id, body: bytes("x") });
assert.equal(bound?.lease, id);
assert.equal((await leases.leasesShow({ id, keys: true })).keys?.[0]?.key, "generator/c");
await leases.leasesRevoke({ id });

// Streams: lines, of events and of the gateway.
const stop = new AbortController();
const init = { headers: { Accept: "application/x-ndjson" }, signal: stop.signal };
const { raw } = await watches.watchEventsRaw({ prefix: ["generator/"], initial: true }, init);
assert.ok(raw.body);
for await (const line of pieces(raw.body, "\n")) {
  const event = api.WatchEventFromJSON(JSON.parse(line));
  if (event.event !== "put") continue;
  assert.equal((event as api.WatchPut).id !== "", true);
  break;
}
const watch = await watches.watchRaw(
  { etcdserverpbWatchRequest: { createRequest: { key: btoa("generator/a") } } },
  async ({ init: { headers } }) => ({ headers: { ...headers, Accept: "application/x-ndjson" }, signal: stop.signal }),
);
assert.ok(watch.raw.body);
for await (const line of pieces(watch.raw.body, "\n")) {
  assert.equal(api.EtcdserverpbWatchResponseLineFromJSON(JSON.parse(line)).result?.created, true);
  break;
}
stop.abort();

await keys.keysDelete({ key: "generator/a" });
assert.equal((await kv.kvDeleteRange({ etcdserverpbDeleteRangeRequest: { key: btoa("generator/b") } })).deleted, "1");
process.exit(0);
