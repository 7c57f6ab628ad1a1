// Locks, elections, and what the server tells of itself.
import { type Row, code, row } from "./row.ts";

export const CONCURRENCY: Record<string, Row> = {
  "v3lockpb.Lock.Lock": row(async ({ lock, lease, bytes, text }) => {
    const { ID } = await lease.leaseGrant({ TTL: 600n });
    const { key } = await lock.lock({ name: bytes("lock"), lease: ID });
    await lease.leaseRevoke({ ID });
    return text(key) === `lock/${ID.toString(16)}`;
  }, true),
  "v3lockpb.Lock.Unlock": row(async ({ lock, bytes }) => {
    const first = await lock.lock({ name: bytes("unlock") });
    let waits = true;
    const second = lock.lock({ name: bytes("unlock") }).finally(() => { waits = false; });
    const waited = waits;
    await lock.unlock({ key: first.key });
    await lock.unlock({ key: (await second).key });
    return [waited, waits];
  }, [true, false]),
  "v3electionpb.Election.Campaign": row(async ({ election, bytes, text }) => {
    const { leader } = await election.campaign({ name: bytes("campaign"), value: bytes("me") });
    await election.resign({ leader });
    return [text(leader.name), leader.rev > 0n];
  }, ["campaign", true]),
  "v3electionpb.Election.Proclaim": row(async ({ election, bytes, text }) => {
    const { leader } = await election.campaign({ name: bytes("proclaim"), value: bytes("one") });
    await election.proclaim({ leader, value: bytes("two") });
    const { kv } = await election.leader({ name: bytes("proclaim") });
    await election.resign({ leader });
    return text(kv.value);
  }, "two"),
  "v3electionpb.Election.Leader": row(async ({ election, bytes, refusal }) => refusal(election.leader({ name: bytes("nobody stands") })), [code.UNKNOWN, "election: no leader"]),
  "v3electionpb.Election.Observe": row(async ({ election, bytes, text, take }) => {
    const { leader } = await election.campaign({ name: bytes("observe"), value: bytes("one") });
    const seen = await take(2, (options) => election.observe({ name: bytes("observe") }, options), () => election.proclaim({ leader, value: bytes("two") }));
    await election.resign({ leader });
    return seen.map(({ kv }) => text(kv.value));
  }, ["one", "two"]),
  "v3electionpb.Election.Resign": row(async ({ election, bytes, refusal }) => {
    const { leader } = await election.campaign({ name: bytes("resign"), value: bytes("me") });
    await election.resign({ leader });
    return refusal(election.leader({ name: bytes("resign") }));
  }, [code.UNKNOWN, "election: no leader"]),
};

export const OTHERS: Record<string, Row> = {
  "grpc.health.v1.Health.Check": row(async ({ health }) => (await health.check({})).status, 1),
  "grpc.health.v1.Health.List": row(async ({ health }) => (await health.list({})).statuses[""].status, 1),
  "grpc.health.v1.Health.Watch": row(async ({ health, take }) => (await take(1, (options) => health.watch({}, options)))[0].status, 1),
  "grpc.reflection.v1.ServerReflection.ServerReflectionInfo": row(async ({ reflection, take }) => {
    const request = { messageRequest: { case: "listServices", value: "*" } };
    const [{ messageResponse }] = await take(1, (options) => reflection.serverReflectionInfo(request, options));
    return messageResponse.value.service.some(({ name }: { name: string }) => name === "etcdserverpb.KV");
  }, true),
};
