// Members, and what is done to one.
import { type Row, code, row } from "./row.ts";

export const CLUSTER: Record<string, Row> = {
  "etcdserverpb.Cluster.MemberList": row(async ({ cluster }) => {
    const { members, header } = await cluster.memberList({ linearizable: true });
    return [members.map(({ name }: { name: string }) => name).sort(), members.some(({ ID }: { ID: bigint }) => ID === header.memberId)];
  }, [["m1", "m2", "m3"], true]),
  "etcdserverpb.Cluster.MemberAdd": row(async ({ cluster, until }) => {
    const peerURLs = ["http://127.0.0.1:9"];
    // Refused until all members have known one another for a while.
    const { member, members } = await until("a healthy cluster", () => cluster.memberAdd({ peerURLs, isLearner: true }));
    await cluster.memberRemove({ ID: member.ID });
    return [member.peerURLs, member.isLearner, members.length];
  }, [["http://127.0.0.1:9"], true, 4]),
  "etcdserverpb.Cluster.MemberUpdate": row(async ({ cluster, until }) => {
    const { member } = await until("a healthy cluster", () => cluster.memberAdd({ peerURLs: ["http://127.0.0.1:9"], isLearner: true }));
    const { members } = await cluster.memberUpdate({ ID: member.ID, peerURLs: ["http://127.0.0.1:10"] });
    await cluster.memberRemove({ ID: member.ID });
    return members.find(({ ID }: { ID: bigint }) => ID === member.ID).peerURLs;
  }, ["http://127.0.0.1:10"]),
  "etcdserverpb.Cluster.MemberRemove": row(async ({ cluster, until }) => {
    const { member } = await until("a healthy cluster", () => cluster.memberAdd({ peerURLs: ["http://127.0.0.1:9"], isLearner: true }));
    const { members } = await cluster.memberRemove({ ID: member.ID });
    return members.map(({ name }: { name: string }) => name).sort();
  }, ["m1", "m2", "m3"]),
  "etcdserverpb.Cluster.MemberPromote": row(async ({ cluster, until }, { peer, starts }) => {
    const { member } = await until("a healthy cluster", () => cluster.memberAdd({ peerURLs: [peer], isLearner: true }));
    await (window as unknown as Record<string, () => Promise<void>>)[starts]?.();
    const { members } = await until("in step", () => cluster.memberPromote({ ID: member.ID }));
    const promoted = members.find(({ ID }: { ID: bigint }) => ID === member.ID);
    await until("removed", () => cluster.memberRemove({ ID: member.ID }));
    return [promoted.name, promoted.isLearner];
  }, ["m4", false]),
};

export const MAINTENANCE: Record<string, Row> = {
  "etcdserverpb.Maintenance.Alarm": row(async ({ kv, maintenance, bytes, refusal }) => {
    const { header } = await maintenance.status({});
    const alarm = { memberID: header.memberId, alarm: 1 };
    const { alarms } = await maintenance.alarm({ action: 1, ...alarm });
    const refused = await refusal(kv.put({ key: bytes("alarm/a") }));
    await maintenance.alarm({ action: 2, ...alarm });
    await kv.put({ key: bytes("alarm/a") });
    return [alarms.length, alarms[0].memberID === header.memberId, alarms[0].alarm, refused];
  }, [1, true, 1, [code.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded"]]),
  "etcdserverpb.Maintenance.Status": row(async ({ maintenance }) => {
    const { version, leader, dbSize, dbSizeInUse, raftTerm, isLearner, errors } = await maintenance.status({});
    return [/^\d+\.\d+\.\d+/.test(version), leader > 0n, dbSize >= dbSizeInUse && dbSizeInUse > 0n, raftTerm > 0n, isLearner, errors];
  }, [true, true, true, true, false, []]),
  "etcdserverpb.Maintenance.Defragment": row(async ({ kv, maintenance, bytes }) => {
    const { header } = await kv.put({ key: bytes("defragment/a"), value: new Uint8Array(1_000_000) });
    await maintenance.defragment({});
    return (await kv.range({ key: bytes("defragment/a") })).kvs[0].modRevision === header.revision;
  }, true),
  "etcdserverpb.Maintenance.Hash": row(async ({ maintenance }) => {
    const { hash, header } = await maintenance.hash({});
    return [hash > 0, header.revision > 0n];
  }, [true, true]),
  // The same on all members, at the same revision.
  "etcdserverpb.Maintenance.HashKV": row(async ({ kv, at, cluster, maintenance, bytes, until }) => {
    const { header } = await kv.put({ key: bytes("hash/a") });
    const { hash, hashRevision } = await maintenance.hashKV({ revision: header.revision });
    const { members } = await cluster.memberList({});
    const others: number[] = await Promise.all(members.map(({ clientURLs }: { clientURLs: string[] }) => until("there, too", async () =>
      (await at(clientURLs[0] ?? "").maintenance.hashKV({ revision: header.revision })).hash)));
    return [hashRevision === header.revision, others.map((each) => each === hash)];
  }, [true, [true, true, true]]),
  // Its last message is the hash of what came before.
  "etcdserverpb.Maintenance.Snapshot": row(async ({ maintenance }) => {
    const blobs: Uint8Array[] = [];
    let remaining = -1n;
    for await (const { blob, remainingBytes } of maintenance.snapshot({})) {
      blobs.push(blob);
      remaining = remainingBytes;
    }
    const sum = blobs.pop() ?? new Uint8Array();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(blobs as BlobPart[]).arrayBuffer()));
    return [blobs.length > 1, remaining, sum.length, sum.every((byte, index) => byte === hash[index])];
  }, [true, 0n, 32, true]),
  // Asked of the leader: another origin, perhaps.
  "etcdserverpb.Maintenance.MoveLeader": row(async ({ at, cluster, maintenance, until }) => {
    const { members } = await cluster.memberList({});
    const targetID = await until("moved", async () => {
      const { leader } = await maintenance.status({});
      const target = members.find(({ ID }: { ID: bigint }) => ID !== leader).ID;
      await at(members.find(({ ID }: { ID: bigint }) => ID === leader).clientURLs[0]).maintenance.moveLeader({ targetID: target });
      return target;
    });
    return until("led by it", async () => (await maintenance.status({})).leader === targetID || undefined);
  }, true),
  "etcdserverpb.Maintenance.Downgrade": row(async ({ maintenance }) => {
    const { version } = await maintenance.status({});
    const [major, minor] = version.split(".").map(Number);
    const told = await maintenance.downgrade({ action: 0, version: `${major}.${minor - 1}` });
    const { downgradeInfo } = await maintenance.status({});
    return [told.version.startsWith(`${major}.${minor}`), downgradeInfo.enabled];
  }, [true, false]),
};
