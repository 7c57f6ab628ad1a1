//! One client must not hold up the others: what would hold an event loop for long is done aside, or in pieces.
//!
//! How long the turns on the loops are is a metric, but no test's: a machine that runs other tests too takes a loop away in
//! the middle of a turn. What is exact is how many things were done aside.

use keyport_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use keyport_api::etcdserverpb::{
    DeleteRangeRequest, HashKvRequest, HashRequest, LeaseGrantRequest, LeaseLeasesRequest, RangeRequest, TxnRequest,
};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, IntoOp, all, delete_all, get, put};
use keyport_tests::raw::Raw;
use keyport_tests::sse::EventStream;
use keyport_tests::wait::within;
use serde_json::json;

const KEYS: usize = 20_000;
const KEYS_PER_TXN: usize = 10_000;

/// A server with many keys, and a revision at which each was something else.
async fn crowded() -> (Server, i64) {
    let server = Server::builder().args(["--max-txn-ops", "20000"]).start();
    let mut c = server.grpc().await;
    for value in ["old", "new"] {
        for first in (0..KEYS).step_by(KEYS_PER_TXN) {
            let puts = (first..first + KEYS_PER_TXN).map(|i| put(&format!("k{i:06}"), &format!("{value:>30}{i}")).op());
            c.txn(TxnRequest { success: puts.collect(), ..TxnRequest::default() }).await;
        }
    }
    let old = c.revision().await - i64::try_from(KEYS / KEYS_PER_TXN).unwrap();
    (server, old)
}

/// A sample of the metrics; 0 if there is none.
async fn metric(server: &Server, sample: &str) -> u64 {
    let text = server.http().get("/metrics").await.text();
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ').map(str::to_owned));
    line.map_or(0, |value| value.parse::<f64>().unwrap() as u64)
}

/// How often something was done aside, since the last time.
async fn aside(server: &Server, before: &mut u64) -> u64 {
    let now = metric(server, "keyport_bulk_work_total").await;
    now - std::mem::replace(before, now)
}

fn sorted(target: SortTarget, limit: i64) -> RangeRequest {
    RangeRequest { sort_order: SortOrder::Descend.into(), sort_target: target.into(), limit, ..all() }
}

async fn count(c: &mut Grpc, request: RangeRequest) -> usize {
    within("a range", c.kv.range(request)).await.unwrap().into_inner().kvs.len()
}

#[tokio::test]
async fn reads_of_many_keys() {
    let (server, old) = crowded().await;
    let mut c = server.grpc().await;
    let mut done = metric(&server, "keyport_bulk_work_total").await;
    for (request, keys) in [
        (all(), KEYS),
        (sorted(SortTarget::Value, 0), KEYS),
        (sorted(SortTarget::Mod, 1), 1),
        (RangeRequest { max_mod_revision: 3, ..all() }, 0),
        (RangeRequest { revision: old, ..all() }, KEYS),
        (RangeRequest { revision: old, count_only: true, ..all() }, 0),
        (RangeRequest { keys_only: true, ..all() }, KEYS),
    ] {
        assert_eq!(count(&mut c, request.clone()).await, keys, "{request:?}");
        assert!(aside(&server, &mut done).await > 0, "{request:?}");
    }
    let small = RangeRequest { limit: 100, ..all() };
    assert_eq!(count(&mut c, small).await, 100);
    assert_eq!(aside(&server, &mut done).await, 0);

    let reads = TxnRequest { success: vec![all().op(), get("k000000").op(), all().op()], ..TxnRequest::default() };
    assert_eq!(c.txn(reads).await.responses.len(), 3);
    assert!(aside(&server, &mut done).await >= 2, "the transaction, and its answer");

    let text = server.http().post("/v3/kv/range", r#"{"key":"AA==","range_end":"AA==","sort_target":"VALUE"}"#).await;
    assert_eq!(text.json()["kvs"].as_array().unwrap().len(), KEYS);
    assert!(aside(&server, &mut done).await > 0);

    let mut chunks = c.kv.range_stream(RangeRequest { revision: old, ..all() }).await.unwrap().into_inner();
    let mut keys = 0;
    while let Some(chunk) = within("a chunk", chunks.message()).await.unwrap() {
        let chunk = chunk.range_response.unwrap().kvs.len();
        assert!(chunk <= 2048, "{chunk} keys");
        keys += chunk;
    }
    assert_eq!(keys, KEYS);
    let mut events = EventStream::open(&server.http(), "/v3/watch?prefix=k&initial=true", "").await;
    while events.next().await.unwrap().event != "synced" {}
    assert!(metric(&server, "keyport_event_loop_turn_seconds_count").await > 100);
}

#[tokio::test]
async fn many_large_answers_that_nobody_reads() {
    let (server, _) = crowded().await;
    let body = r#"{"key":"AA==","range_end":"AA==","sort_order":"DESCEND","sort_target":"VALUE"}"#;
    let request =
        format!("POST /v3/kv/range HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            .repeat(12);
    let mut before = metric(&server, "keyport_bulk_work_total").await;
    let mut greedy = Vec::new();
    for _ in 0..8 {
        let mut connection = Raw::connect(server.addr()).await;
        connection.send(&request).await;
        greedy.push(connection);
    }
    let mut c = server.grpc().await;
    for i in 0..100 {
        c.put("bystander", &i.to_string()).await;
        assert_eq!(c.get("bystander").await.unwrap().value, i.to_string());
    }
    // All of them are served in turn, as far as they read.
    for connection in &mut greedy {
        within("an answer", connection.read_until(b"200 OK")).await.unwrap();
    }
    let done = aside(&server, &mut before).await;
    assert!(done >= 8, "{done}");
}

#[tokio::test]
async fn other_large_work() {
    let (server, _) = crowded().await;
    let mut c = server.grpc().await;
    let mut done = metric(&server, "keyport_bulk_work_total").await;
    within("a hash", c.maintenance.hash_kv(HashKvRequest::default())).await.unwrap();
    within("a hash", c.maintenance.hash(HashRequest {})).await.unwrap();
    assert_eq!(aside(&server, &mut done).await, 2);
    for id in 1..=5_000 {
        c.lease.lease_grant(LeaseGrantRequest { ttl: 3600, id }).await.unwrap();
    }
    let leases = c.lease.lease_leases(LeaseLeasesRequest {}).await.unwrap().into_inner().leases;
    assert_eq!((leases.len(), leases[4999].id), (5_000, 5_000));
    assert_eq!(aside(&server, &mut done).await, 1);
    // A large message is read aside, and so is a large one written, whoever asks.
    let value = "A".repeat(400_000);
    server.http().call("/v3/kv/put", json!({ "key": "bGFyZ2U=", "value": value })).await;
    assert_eq!(aside(&server, &mut done).await, 1);
    let create = json!({ "create_request": { "key": "bGFyZ2U=", "filters": vec![0; 200_000] } });
    let mut watch = server.http().stream("/v3/watch", create.to_string()).await;
    assert_eq!(watch.json().await["result"]["created"], true);
    assert_eq!(aside(&server, &mut done).await, 1);
    let deleted = c.kv.delete_range(DeleteRangeRequest { prev_kv: true, ..delete_all("k01") });
    assert_eq!(within("a deletion", deleted).await.unwrap().into_inner().prev_kvs.len(), 10_000);
    assert_eq!(aside(&server, &mut done).await, 1);
}
