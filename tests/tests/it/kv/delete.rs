//! DeleteRange.

use keyport_api::etcdserverpb::{DeleteRangeRequest, LeaseTimeToLiveRequest, PutRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{all, bytes, delete, delete_all, put, refused, revision, text};
use tonic::Code;

#[tokio::test]
async fn nothing_matched_changes_nothing() {
    let server = Server::start();
    let mut c = server.grpc().await;
    refused(c.kv.delete_range(delete("")).await, Code::InvalidArgument, "etcdserver: key is not provided");
    c.put("k", "v").await;
    let backwards = DeleteRangeRequest { key: bytes("z"), range_end: bytes("a"), prev_kv: true };
    for request in [delete("missing"), delete_all("missing/"), backwards] {
        let answer = c.kv.delete_range(request).await.unwrap().into_inner();
        assert_eq!((answer.deleted, revision(&answer.header), answer.prev_kvs.len()), (0, 2, 0));
    }
}

#[tokio::test]
async fn one_revision_for_all_and_the_old_pairs() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for key in ["p/c", "p/a", "q", "p/b"] {
        c.put(key, key).await;
    }
    let request = DeleteRangeRequest { prev_kv: true, ..delete_all("p/") };
    let answer = c.kv.delete_range(request).await.unwrap().into_inner();
    assert_eq!((answer.deleted, revision(&answer.header)), (3, 6));
    let removed: Vec<String> = answer.prev_kvs.iter().map(|kv| text(&kv.value)).collect();
    assert_eq!(removed, ["p/a", "p/b", "p/c"], "in key order");
    assert_eq!(c.range(all()).await.count, 1);
    let answer = c.kv.delete_range(delete("q")).await.unwrap().into_inner();
    assert_eq!((answer.deleted, answer.prev_kvs.len(), revision(&answer.header)), (1, 0, 7));
}

#[tokio::test]
async fn from_a_key_on_and_everything() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for key in ["a", "b", "c", "d"] {
        c.put(key, "").await;
    }
    let request = DeleteRangeRequest { range_end: bytes("\0"), ..delete("c") };
    assert_eq!(c.kv.delete_range(request).await.unwrap().into_inner().deleted, 2);
    let request = DeleteRangeRequest { range_end: bytes("\0"), ..delete("\0") };
    assert_eq!(c.kv.delete_range(request).await.unwrap().into_inner().deleted, 2);
    assert_eq!(c.range(all()).await.count, 0);
}

#[tokio::test]
async fn a_deleted_key_leaves_its_lease() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    c.put_of(PutRequest { lease, ..put("k", "v") }).await;
    c.delete("k").await;
    let request = LeaseTimeToLiveRequest { id: lease, keys: true };
    let answer = c.lease.lease_time_to_live(request).await.unwrap().into_inner();
    assert!(answer.keys.is_empty() && answer.ttl > 0);
    c.put("k", "without a lease").await;
    assert_eq!(c.get("k").await.unwrap().lease, 0);
}
