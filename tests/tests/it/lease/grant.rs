//! Granting, revoking, asking about leases.

use keyport_api::etcdserverpb::{
    LeaseGrantRequest, LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
    PutRequest,
};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, all, put, refused, revision, text, watch_all};
use tonic::Code;

async fn ttl(c: &mut Grpc, id: i64, keys: bool) -> LeaseTimeToLiveResponse {
    c.lease.lease_time_to_live(LeaseTimeToLiveRequest { id, keys }).await.unwrap().into_inner()
}

async fn ids(c: &mut Grpc) -> Vec<i64> {
    let answer = c.lease.lease_leases(LeaseLeasesRequest {}).await.unwrap().into_inner();
    let mut ids: Vec<i64> = answer.leases.iter().map(|l| l.id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn ids_are_chosen_or_given() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    let answer = c.lease.lease_grant(LeaseGrantRequest { ttl: 30, id: 0 }).await.unwrap().into_inner();
    let header = answer.header.unwrap();
    assert!(answer.id > 0 && header.member_id != 0 && header.raft_term > 0);
    assert_eq!((answer.ttl, answer.error.as_str(), header.revision), (30, "", 2));
    for id in [7, -9, i64::MAX, i64::MIN] {
        assert_eq!(c.lease.lease_grant(LeaseGrantRequest { ttl: 30, id }).await.unwrap().into_inner().id, id);
    }
    refused(
        c.lease.lease_grant(LeaseGrantRequest { ttl: 30, id: 7 }).await,
        Code::FailedPrecondition,
        "etcdserver: lease already exists",
    );
    let mut want = vec![i64::MIN, -9, 7, answer.id, i64::MAX];
    want.sort_unstable();
    assert_eq!(ids(&mut c).await, want);
    assert_eq!(c.revision().await, 2, "leases make no revisions");
}

#[tokio::test]
async fn times_to_live() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for (asked, given) in [(-5, 2), (0, 2), (1, 2), (2, 2), (3, 3), (9_000_000_000, 9_000_000_000)] {
        let answer = c.lease.lease_grant(LeaseGrantRequest { ttl: asked, id: 0 }).await.unwrap().into_inner();
        assert_eq!(answer.ttl, given, "asked for {asked}");
        let answer = ttl(&mut c, answer.id, false).await;
        assert!(answer.granted_ttl == given && answer.ttl <= given && answer.ttl >= given - 2, "{answer:?}");
    }
    refused(
        c.lease.lease_grant(LeaseGrantRequest { ttl: 9_000_000_001, id: 0 }).await,
        Code::OutOfRange,
        "etcdserver: too large lease TTL",
    );
}

#[tokio::test]
async fn what_is_attached() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    for key in ["b", "a", "c"] {
        c.put_of(PutRequest { lease, ..put(key, "v") }).await;
    }
    c.put("free", "v").await;
    let answer = ttl(&mut c, lease, true).await;
    let mut keys: Vec<String> = answer.keys.iter().map(|k| text(k)).collect();
    keys.sort();
    assert_eq!(keys, ["a", "b", "c"]);
    assert_eq!((answer.id, answer.granted_ttl, revision(&answer.header)), (lease, 100, 5));
    assert!(ttl(&mut c, lease, false).await.keys.is_empty(), "only if asked for");
}

#[tokio::test]
async fn unknown_leases() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let answer = ttl(&mut c, 4711, true).await;
    assert_eq!((answer.id, answer.ttl, answer.granted_ttl, answer.keys.len()), (4711, -1, 0, 0));
    for id in [0, 4711, -1] {
        refused(
            c.lease.lease_revoke(LeaseRevokeRequest { id }).await,
            Code::NotFound,
            "etcdserver: requested lease not found",
        );
    }
}

#[tokio::test]
async fn revoking_deletes_its_keys_in_one_revision() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    let lease = c.grant(100).await;
    for key in ["c", "a", "b"] {
        c.put_of(PutRequest { lease, ..put(key, "v") }).await;
    }
    c.put("free", "v").await;
    w.create(watch_all("")).await;
    let answer = c.lease.lease_revoke(LeaseRevokeRequest { id: lease }).await.unwrap().into_inner();
    assert_eq!(revision(&answer.header), 6);
    let events = w.events(3).await;
    let seen: Vec<_> = events
        .iter()
        .map(|e| (e.r#type, text(&e.kv.as_ref().unwrap().key), e.kv.as_ref().unwrap().mod_revision))
        .collect();
    assert_eq!(seen, [(1, "a".into(), 6), (1, "b".into(), 6), (1, "c".into(), 6)], "sorted by key");
    assert_eq!(c.range(all()).await.count, 1);
    assert_eq!(ids(&mut c).await, Vec::<i64>::new());
    let empty = c.grant(100).await;
    let answer = c.lease.lease_revoke(LeaseRevokeRequest { id: empty }).await.unwrap().into_inner();
    assert_eq!(revision(&answer.header), 6, "without keys there is no revision");
}
