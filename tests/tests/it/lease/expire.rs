//! Leases that run out, and what a restart does to them.

use std::time::{Duration, Instant};

use keyport_api::etcdserverpb::{LeaseLeasesRequest, LeaseTimeToLiveRequest, PutRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{put, revision, text, watch_all};

#[tokio::test]
async fn its_keys_go_in_one_revision() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(watch_all("")).await;
    let start = Instant::now();
    let (short, long) = (c.grant(2).await, c.grant(600).await);
    for key in ["b", "a"] {
        c.put_of(PutRequest { lease: short, ..put(key, "v") }).await;
    }
    c.put_of(PutRequest { lease: long, ..put("c", "v") }).await;
    w.events(3).await;
    let message = w.next().await;
    assert!(start.elapsed() >= Duration::from_secs(2), "not before its time");
    let seen: Vec<_> = message.events.iter().map(|e| (e.r#type, text(&e.kv.as_ref().unwrap().key))).collect();
    assert_eq!(seen, [(1, "a".to_string()), (1, "b".to_string())]);
    assert_eq!(revision(&message.header), 5);
    assert!(c.get("c").await.is_some());
    assert_eq!(c.keep_alive(short).await.ttl, 0);
    let answer =
        c.lease.lease_time_to_live(LeaseTimeToLiveRequest { id: short, keys: true }).await.unwrap().into_inner();
    assert_eq!((answer.ttl, answer.granted_ttl), (-1, 0));
    let leases = c.lease.lease_leases(LeaseLeasesRequest {}).await.unwrap().into_inner().leases;
    assert_eq!(leases.iter().map(|l| l.id).collect::<Vec<_>>(), [long]);
}

#[tokio::test]
async fn a_kept_lease_stays() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let (kept, left) = (c.grant(5).await, c.grant(5).await);
    c.put_of(PutRequest { lease: kept, ..put("kept", "v") }).await;
    c.put_of(PutRequest { lease: left, ..put("left", "v") }).await;
    let end = Instant::now() + keyport_tests::wait::PATIENCE;
    while c.get("left").await.is_some() {
        assert_eq!(c.keep_alive(kept).await.ttl, 5);
        assert!(Instant::now() < end, "the other lease did not run out");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(c.get("kept").await.is_some());
}

#[tokio::test]
async fn restarts_extend_and_keep_attachments() {
    let mut server = Server::start();
    let mut c = server.grpc().await;
    let (short, long) = (c.grant(3).await, c.grant(1000).await);
    c.put_of(PutRequest { lease: short, ..put("short", "v") }).await;
    c.put_of(PutRequest { lease: long, ..put("long", "v") }).await;
    let moved = c.grant(1000).await;
    c.put_of(PutRequest { lease: long, ..put("moved", "v") }).await;
    c.put_of(PutRequest { lease: moved, ..put("moved", "v") }).await;
    server.kill();
    server.restart();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(watch_all("")).await;
    let ask = |id| LeaseTimeToLiveRequest { id, keys: true };
    let answer = c.lease.lease_time_to_live(ask(long)).await.unwrap().into_inner();
    assert!(answer.granted_ttl == 1000 && answer.ttl >= 990, "{answer:?}");
    assert_eq!(answer.keys.iter().map(|k| text(k)).collect::<Vec<_>>(), ["long"]);
    let answer = c.lease.lease_time_to_live(ask(moved)).await.unwrap().into_inner();
    assert_eq!(answer.keys.iter().map(|k| text(k)).collect::<Vec<_>>(), ["moved"]);
    // The short one starts anew and then runs out all the same.
    let event = w.events(1).await.remove(0);
    assert_eq!((event.r#type, text(&event.kv.unwrap().key)), (1, "short".to_string()));
}
