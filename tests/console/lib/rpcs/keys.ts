// Keys, watches and leases.
import { type Row, code, row } from "./row.ts";

export const KV: Record<string, Row> = {
  "etcdserverpb.KV.Put": row(async ({ kv, bytes, text }) => {
    await kv.put({ key: bytes("put/a"), value: bytes("one") });
    const { prevKv, header } = await kv.put({ key: bytes("put/a"), value: bytes("two"), prevKv: true });
    return [text(prevKv.value), header.revision > 2n];
  }, ["one", true]),
  "etcdserverpb.KV.Range": row(async ({ kv, bytes, text }) => {
    for (const at of ["b", "a", "c"]) await kv.put({ key: bytes(`range/${at}`), value: bytes(at) });
    const { kvs, count, more } = await kv.range({ key: bytes("range/"), rangeEnd: bytes("range0"), limit: 2n });
    return [kvs.map((each: { value: Uint8Array }) => text(each.value)), count, more];
  }, [["a", "b"], 3n, true]),
  "etcdserverpb.KV.RangeStream": row(async ({ kv, bytes, text }) => {
    const value = new Uint8Array(100_000);
    for (let at = 0; at < 40; at += 1) await kv.put({ key: bytes(`stream/${String(at).padStart(2, "0")}`), value });
    const keys: string[] = [];
    let parts = 0;
    let count = 0n;
    for await (const { rangeResponse } of kv.rangeStream({ key: bytes("stream/"), rangeEnd: bytes("stream0") })) {
      parts += 1;
      count = rangeResponse.count;
      keys.push(...rangeResponse.kvs.map((each: { key: Uint8Array }) => text(each.key)));
    }
    return [keys.length, keys[0], keys.at(-1), count, parts > 1];
  }, [40, "stream/00", "stream/39", 40n, true]),
  "etcdserverpb.KV.DeleteRange": row(async ({ kv, bytes, text }) => {
    for (const at of ["a", "b"]) await kv.put({ key: bytes(`delete/${at}`), value: bytes(at) });
    const { deleted, prevKvs } = await kv.deleteRange({ key: bytes("delete/"), rangeEnd: bytes("delete0"), prevKv: true });
    return [deleted, prevKvs.map((each: { value: Uint8Array }) => text(each.value))];
  }, [2n, ["a", "b"]]),
  "etcdserverpb.KV.Txn": row(async ({ kv, bytes, text }) => {
    const key = bytes("txn/a");
    const ifNew = [{ key, target: 0, result: 0, targetUnion: { case: "version", value: 0n } }];
    const put = [{ request: { case: "requestPut", value: { key, value: bytes("first") } } }];
    const read = [{ request: { case: "requestRange", value: { key } } }];
    const told = [];
    for (let round = 0; round < 2; round += 1) told.push(await kv.txn({ compare: ifNew, success: put, failure: read }));
    return [told[0].succeeded, told[1].succeeded, text(told[1].responses[0].response.value.kvs[0].value)];
  }, [true, false, "first"]),
  "etcdserverpb.KV.Compact": row(async ({ kv, bytes, refusal }) => {
    const key = bytes("compact/a");
    const before = (await kv.put({ key, value: bytes("1") })).header.revision;
    const { header } = await kv.put({ key, value: bytes("2") });
    await kv.compact({ revision: header.revision, physical: true });
    return refusal(kv.range({ key, revision: before }));
  }, [code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted"]),
};

export const WATCH_AND_LEASE: Record<string, Row> = {
  // One request makes a watch, which is all that gRPC-Web can send; its answers come for as long as the page wants them.
  "etcdserverpb.Watch.Watch": row(async ({ kv, watch, bytes, text, take }) => {
    const create = { key: bytes("watch/"), rangeEnd: bytes("watch0"), prevKv: true };
    const open = (options: object) => watch.watch({ requestUnion: { case: "createRequest", value: create } }, options);
    const [created, ...changes] = await take(4, open, (taken) => {
      if (taken === 3) return kv.deleteRange({ key: bytes("watch/a") });
      return kv.put({ key: bytes("watch/a"), value: bytes(String(taken)) });
    });
    return [created.created, changes.map(({ events }) => [events[0].type, text(events[0].kv.value), text(events[0].prevKv?.value ?? bytes("none"))])];
  }, [true, [[0, "1", "none"], [0, "2", "1"], [1, "", "2"]]]),
  "etcdserverpb.Lease.LeaseGrant": row(async ({ lease }) => {
    const { ID, TTL } = await lease.leaseGrant({ ID: 77n, TTL: 600n });
    await lease.leaseRevoke({ ID });
    return [ID, TTL];
  }, [77n, 600n]),
  "etcdserverpb.Lease.LeaseRevoke": row(async ({ kv, lease, bytes }) => {
    const { ID } = await lease.leaseGrant({ TTL: 600n });
    await kv.put({ key: bytes("revoke/a"), lease: ID });
    await lease.leaseRevoke({ ID });
    return (await kv.range({ key: bytes("revoke/a") })).count;
  }, 0n),
  // As with a watch: it is renewed once, by the one message that was sent.
  "etcdserverpb.Lease.LeaseKeepAlive": row(async ({ lease, take }) => {
    const { ID } = await lease.leaseGrant({ TTL: 600n });
    const [renewed] = await take(1, (options) => lease.leaseKeepAlive({ ID }, options));
    await lease.leaseRevoke({ ID });
    return [renewed.ID === ID, renewed.TTL];
  }, [true, 600n]),
  "etcdserverpb.Lease.LeaseTimeToLive": row(async ({ kv, lease, bytes, text }) => {
    const { ID } = await lease.leaseGrant({ TTL: 600n });
    await kv.put({ key: bytes("ttl/a"), lease: ID });
    const { grantedTTL, TTL, keys } = await lease.leaseTimeToLive({ ID, keys: true });
    await lease.leaseRevoke({ ID });
    return [grantedTTL, TTL > 0n && TTL <= 600n, keys.map(text)];
  }, [600n, true, ["ttl/a"]]),
  "etcdserverpb.Lease.LeaseLeases": row(async ({ lease }) => {
    const { ID } = await lease.leaseGrant({ TTL: 600n });
    const { leases } = await lease.leaseLeases({});
    await lease.leaseRevoke({ ID });
    return leases.some((each: { ID: bigint }) => each.ID === ID);
  }, true),
};
