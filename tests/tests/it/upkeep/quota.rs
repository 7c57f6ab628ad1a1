//! The quota: what is refused when it is reached, on every face, and what makes room again.

use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::{
    AlarmRequest, AlarmType, CompactionRequest, LeaseGrantRequest, LeaseRevokeRequest, StatusRequest, StatusResponse,
    TxnRequest,
};
use keyport_tests::grpc::{Grpc, IntoOp, delete, get, put, refused};
use keyport_tests::http::{Http, b64};
use keyport_tests::wait::{eventually, within};
use keyport_tests::{Cluster, Server, websocket};
use serde_json::json;
use tonic::Code;

const NO_SPACE: &str = "etcdserver: mvcc: database space exceeded";
const QUOTA: u64 = 24 << 20;

async fn alarms(c: &mut Grpc) -> Vec<u64> {
    let request = AlarmRequest { action: AlarmAction::Get.into(), ..AlarmRequest::default() };
    let raised = c.maintenance.alarm(request).await.unwrap().into_inner().alarms;
    assert!(raised.iter().all(|alarm| alarm.alarm() == AlarmType::Nospace), "{raised:?}");
    raised.into_iter().map(|alarm| alarm.member_id).collect()
}

async fn disarm(c: &mut Grpc) {
    for member_id in alarms(c).await {
        let (action, alarm) = (AlarmAction::Deactivate.into(), AlarmType::Nospace.into());
        c.maintenance.alarm(AlarmRequest { action, member_id, alarm }).await.unwrap();
    }
}

/// Writes the same few keys until there is no room: all of it but the last of each is history.
async fn fill(c: &mut Grpc) -> usize {
    let value = "x".repeat(20_000);
    for puts in 0..10_000 {
        if let Err(status) = within("put", c.kv.put(put(&format!("k{}", puts % 10), &value))).await {
            refused(Err::<(), _>(status), Code::ResourceExhausted, NO_SPACE);
            return puts;
        }
    }
    panic!("the quota is not reached");
}

async fn status(c: &mut Grpc) -> StatusResponse {
    c.maintenance.status(StatusRequest {}).await.unwrap().into_inner()
}

async fn compact(c: &mut Grpc) {
    let revision = c.revision().await;
    within("a compaction", c.kv.compact(CompactionRequest { revision, physical: true })).await.unwrap();
}

#[tokio::test]
async fn every_face_refuses_what_grows_and_nothing_else() {
    let server = Server::builder().args(["--quota-backend-bytes", &QUOTA.to_string()]).start();
    let mut c = server.grpc().await;
    let lease = c.grant(1000).await;
    c.put("kept", "v").await;
    fill(&mut c).await;
    let own = status(&mut c).await.header.unwrap().member_id;
    eventually("the alarm is up", async || (alarms(&mut c).await == [own]).then_some(())).await;
    // gRPC.
    refused(c.kv.put(put("k", "x")).await, Code::ResourceExhausted, NO_SPACE);
    let grant = LeaseGrantRequest { ttl: 10, id: 0 };
    refused(c.lease.lease_grant(grant).await, Code::ResourceExhausted, NO_SPACE);
    let txn = TxnRequest { success: vec![put("k", "x").op()], ..TxnRequest::default() };
    refused(c.kv.txn(txn).await, Code::ResourceExhausted, NO_SPACE);
    // JSON.
    let http = server.http();
    let put_op = json!({ "request_put": { "key": b64("k"), "value": b64("x") } });
    for (path, body) in [
        ("/v3/kv/put", json!({ "key": b64("k"), "value": b64("x") })),
        ("/v3/kv/txn", json!({ "success": [put_op] })),
        ("/v3/lease/grant", json!({ "TTL": "10" })),
    ] {
        let (status, error) = http.refused(path, body.to_string()).await;
        assert_eq!((status, &error["code"], &error["message"]), (429, &json!(8), &json!(NO_SPACE)), "{path}");
    }
    // What does not grow, or makes room.
    let txn = TxnRequest { success: vec![delete("none").op(), get("kept").op()], ..TxnRequest::default() };
    c.txn(txn).await;
    assert_eq!(c.get("kept").await.unwrap().value, "v");
    assert_eq!(http.call("/v3/kv/range", json!({ "key": b64("kept") })).await["count"], "1");
    assert!(c.keep_alive(lease).await.ttl > 0);
    c.lease.lease_revoke(LeaseRevokeRequest { id: lease }).await.unwrap();
    c.delete("kept").await;
    compact(&mut c).await;
    assert_eq!(alarms(&mut c).await, [own], "it goes by hand alone");
    let told = status(&mut c).await;
    assert!(told.errors.iter().any(|error| error.contains("NOSPACE")), "{told:?}");
}

/// A watch over WebSocket goes on, and ends nobody's.
#[tokio::test]
async fn watchers_hear_of_deletions_while_the_alarm_is_up() {
    let server = Server::builder().args(["--quota-backend-bytes", &QUOTA.to_string()]).start();
    if server.is_etcd() {
        return; // no WebSocket
    }
    let mut c = server.grpc().await;
    c.put("seen", "v").await;
    let (mut socket, _) = websocket::open(server.addr(), "/v3/watch", "").await;
    socket.send(websocket::text(&json!({ "create_request": { "key": b64("seen") } }).to_string())).await;
    assert_eq!(within("created", websocket::message(&mut socket)).await["result"]["created"], true);
    fill(&mut c).await;
    c.delete("seen").await;
    let event = within("the deletion", websocket::message(&mut socket)).await;
    assert_eq!(event["result"]["events"][0]["type"], "DELETE", "{event}");
}

async fn metric(http: &Http, name: &str) -> u64 {
    let text = http.get("/metrics").await.text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).expect("the metric");
    line.parse::<f64>().unwrap() as u64
}

/// etcd wants the file defragmented first. Here what a compaction has freed is written again, and the file does not grow.
#[tokio::test]
async fn after_a_compaction_a_disarm_is_enough() {
    let server = Server::builder().args(["--quota-backend-bytes", &QUOTA.to_string()]).start();
    if server.is_etcd() {
        return;
    }
    let (mut c, http) = (server.grpc().await, server.http());
    let first = fill(&mut c).await;
    // As often as one likes: what is freed can be used again each time.
    for round in 0..5 {
        eventually("the alarm is up", async || (alarms(&mut c).await.len() == 1).then_some(())).await;
        compact(&mut c).await;
        let told = status(&mut c).await;
        assert!(told.db_size_in_use * 4 < told.db_size, "round {round}: most of it is free: {told:?}");
        let sizes = [told.db_size, told.db_size_in_use].map(|bytes| u64::try_from(bytes).unwrap());
        for (name, bytes) in
            ["etcd_mvcc_db_total_size_in_bytes", "etcd_mvcc_db_total_size_in_use_in_bytes"].into_iter().zip(sizes)
        {
            let shown = metric(&http, name).await;
            assert!(shown.abs_diff(bytes) <= 1 << 20, "{name}: {shown} and {bytes}");
        }
        disarm(&mut c).await;
        // More than half of what there was room for at first goes on without an alarm.
        let value = "x".repeat(20_000);
        for puts in 0..first / 2 {
            within("put", c.kv.put(put(&format!("k{}", puts % 10), &value))).await.expect("there is room again");
        }
        assert!(alarms(&mut c).await.is_empty(), "it does not come back by itself");
        let told = status(&mut c).await;
        // All rounds together write five times the quota and more. Some of what is free is in pieces that are too small at first.
        let most = 3 * i64::try_from(QUOTA).unwrap();
        assert!(told.db_size <= most, "round {round}: the file does not grow: {told:?}");
        let more = fill(&mut c).await;
        assert!(more < first, "it is reached again");
    }
}

/// It is known what is free after a restart, too, kill or no kill.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_free_is_known_after_a_restart() {
    let mut server = Server::builder().args(["--quota-backend-bytes", &QUOTA.to_string()]).start();
    if server.is_etcd() {
        return;
    }
    let mut c = server.grpc().await;
    let first = fill(&mut c).await;
    compact(&mut c).await;
    disarm(&mut c).await;
    c.put("k", "v").await;
    server.stop();
    server.restart();
    server.kill();
    server.restart();
    let mut c = server.grpc().await;
    let value = "x".repeat(20_000);
    for puts in 0..first / 2 {
        within("put", c.kv.put(put(&format!("k{}", puts % 10), &value))).await.expect("there is room");
    }
    assert!(alarms(&mut c).await.is_empty());
}

/// A compaction that nobody has waited for, and three members that come to its end at their own times: whoever is asked next
/// waits for it rather than raise the alarm again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_alarm_flaps_on_three_members() {
    let cluster = Cluster::of(3).args(["--quota-backend-bytes", &QUOTA.to_string()]).start().await;
    if cluster.is_etcd() {
        return;
    }
    let leader = cluster.leader().await;
    let mut c = cluster.grpc(leader);
    let first = fill(&mut c).await;
    for _ in 0..2 {
        eventually("an alarm is up", async || (!alarms(&mut c).await.is_empty()).then_some(())).await;
        // All who have reached the quota have said so.
        cluster.until_equal().await;
        let revision = c.revision().await;
        c.kv.compact(CompactionRequest { revision, physical: false }).await.unwrap();
        let value = "x".repeat(20_000);
        // A member may have been about to say that there was no room.
        eventually("there is room", async || {
            let mut c = cluster.grpc(leader);
            disarm(&mut c).await;
            cluster.until_equal().await;
            (alarms(&mut c).await.is_empty() && c.kv.put(put("k0", &value)).await.is_ok()).then_some(())
        })
        .await;
        for puts in 0..first / 2 {
            let mut c = cluster.grpc(puts % 3);
            within("put", c.kv.put(put(&format!("k{}", puts % 10), &value))).await.expect("there is room again");
        }
        assert!(alarms(&mut c).await.is_empty());
        fill(&mut c).await;
    }
    cluster.check_logs();
}
