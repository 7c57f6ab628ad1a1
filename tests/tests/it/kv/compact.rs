//! Compaction.

use keyport_api::etcdserverpb::{CompactionRequest, RangeRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{get, refused, revision, values};
use keyport_tests::wait::eventually;
use tonic::Code;

const FUTURE: &str = "etcdserver: mvcc: required revision is a future revision";
const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";

fn compact(revision: i64) -> CompactionRequest {
    CompactionRequest { revision, physical: false }
}

#[tokio::test]
async fn bounds() {
    let server = Server::start();
    let mut c = server.grpc().await;
    refused(c.kv.compact(compact(2)).await, Code::OutOfRange, FUTURE);
    refused(c.kv.compact(compact(-1)).await, Code::OutOfRange, COMPACTED);
    for i in 0..5 {
        c.put("k", &i.to_string()).await;
    }
    let answer = c.kv.compact(compact(3)).await.unwrap().into_inner();
    assert_eq!(revision(&answer.header), 6, "the header is current");
    for at in [3, 2, 0, -1] {
        refused(c.kv.compact(compact(at)).await, Code::OutOfRange, COMPACTED);
        let physical = CompactionRequest { revision: at, physical: true };
        refused(c.kv.compact(physical).await, Code::OutOfRange, COMPACTED);
    }
    refused(c.kv.compact(compact(7)).await, Code::OutOfRange, FUTURE);
    c.kv.compact(CompactionRequest { revision: 6, physical: true }).await.unwrap();
    assert_eq!(values(&c.range(get("k")).await), ["4"], "the current revision may be compacted");
    refused(c.kv.compact(compact(6)).await, Code::OutOfRange, COMPACTED);
}

/// On a store that was never compacted, the "compacted" revision is below 0, so that 0 passes, once.
#[tokio::test]
async fn revision_zero_once() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    c.kv.compact(compact(0)).await.unwrap();
    refused(c.kv.compact(compact(0)).await, Code::OutOfRange, COMPACTED);
    assert_eq!(values(&c.range(RangeRequest { revision: 2, ..get("k") }).await), ["v"]);
}

#[tokio::test]
async fn reads_below_fail_at_once_and_the_newest_stays() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("live", "old").await; // 2
    c.put("live", "new").await; // 3
    c.put("gone", "x").await; // 4
    c.delete("gone").await; // 5
    c.put("later", "y").await; // 6
    c.kv.compact(compact(5)).await.unwrap();
    for at in 1..5 {
        refused(c.kv.range(RangeRequest { revision: at, ..get("live") }).await, Code::OutOfRange, COMPACTED);
    }
    for at in [5, 6, 0] {
        assert_eq!(values(&c.range(RangeRequest { revision: at, ..get("live") }).await), ["new"]);
        assert_eq!(c.range(RangeRequest { revision: at, ..get("gone") }).await.count, 0);
    }
    assert_eq!(c.get("live").await.unwrap().version, 2, "versions survive");
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_restart() {
    let mut server = Server::start();
    let mut c = server.grpc().await;
    for i in 0..20 {
        c.put("k", &i.to_string()).await;
    }
    c.compact(15).await;
    server.stop();
    server.restart();
    let mut c = server.grpc().await;
    refused(c.kv.range(RangeRequest { revision: 14, ..get("k") }).await, Code::OutOfRange, COMPACTED);
    refused(c.kv.compact(compact(15)).await, Code::OutOfRange, COMPACTED);
    assert_eq!(values(&c.range(RangeRequest { revision: 15, ..get("k") }).await), ["13"]);
    assert_eq!(c.put("k", "more").await, 22);
}

/// By age, and of the shortest age there is.
#[tokio::test]
async fn by_itself() {
    let server = Server::builder().args(["--auto-compaction-retention=5ns"]).start();
    let mut c = server.grpc().await;
    let old = c.put("k", "old").await;
    c.put("k", "new").await;
    eventually("the old version is gone", async || {
        let request = RangeRequest { revision: old, ..get("k") };
        let refused = c.kv.range(request).await.err()?;
        assert_eq!(refused.message(), COMPACTED);
        Some(())
    })
    .await;
    assert_eq!(values(&c.range(get("k")).await), ["new"]);
}
