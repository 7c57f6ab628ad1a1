// The etcd3 package, the Node.js client over gRPC: usage `etcd3.mjs HOST:PORT`. Exits 0 if all is well.
import assert from "node:assert/strict";
import { Etcd3, EtcdLeaseInvalidError, EtcdLockFailedError } from "etcd3";

const [host] = process.argv.slice(2);
const client = new Etcd3({ hosts: host });
try {
  await client.put("node/a").value("1");
  await client.put("node/b").value("2");
  assert.equal(await client.get("node/a").string(), "1");
  assert.deepEqual(await client.getAll().prefix("node/").strings(), { "node/a": "1", "node/b": "2" });
  assert.equal(await client.get("node/none"), null);

  const watcher = await client.watch().prefix("node/").create();
  const changes = [];
  const both = new Promise((done) => {
    const note = (kind) => (pair) => {
      changes.push([kind, pair.key.toString()]);
      if (changes.length === 2) done();
    };
    watcher.on("put", note("put")).on("delete", note("delete"));
  });
  await client.put("node/c").value("3");
  await client.delete().key("node/a");
  await both;
  assert.deepEqual(changes, [["put", "node/c"], ["delete", "node/a"]]);
  await watcher.cancel();

  const made = await client.if("node/x", "Create", "==", 0).then(client.put("node/x").value("x")).commit();
  assert.equal(made.succeeded, true);

  const lease = client.lease(30);
  await lease.put("node/leased").value("v");
  assert.ok(Number((await lease.keepaliveOnce()).TTL) > 0);
  await lease.revoke();
  assert.equal(await client.get("node/leased"), null);
  await assert.rejects(client.leaseClient.leaseRevoke({ ID: "4711" }), EtcdLeaseInvalidError);

  const lock = client.lock("node-lock").ttl(10);
  await lock.acquire();
  await assert.rejects(client.lock("node-lock").ttl(10).acquire(), EtcdLockFailedError);
  await lock.release();
  await client.lock("node-lock").ttl(10).do(async () => {});
  console.log("ok");
} finally {
  client.close();
}
