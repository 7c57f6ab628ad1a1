//! v3lock.

use keyport_api::etcdserverpb::LeaseRevokeRequest;
use keyport_api::v3lockpb::{LockRequest, UnlockRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{bytes, list, refused, revision, text};
use keyport_tests::wait::{eventually, within};
use tonic::Code;

fn lock(name: &str, lease: i64) -> LockRequest {
    LockRequest { name: bytes(name), lease }
}

#[tokio::test]
async fn keys_are_name_and_lease() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    let answer = c.lock.lock(lock("l", lease)).await.unwrap().into_inner();
    assert_eq!(text(&answer.key), format!("l/{lease:x}"));
    assert!(revision(&answer.header) == 2 && answer.header.unwrap().member_id != 0);
    let kv = c.get(&text(&answer.key)).await.unwrap();
    assert_eq!((kv.lease, kv.value.len()), (lease, 0));
    let again = c.lock.lock(lock("l", lease)).await.unwrap().into_inner();
    assert_eq!(again.key, answer.key, "the same lease has it already");
    let answer = c.lock.unlock(UnlockRequest { key: answer.key }).await.unwrap().into_inner();
    assert!(answer.header.unwrap().revision >= 3);
    assert_eq!(c.range(list("l/")).await.count, 0);
    c.lock.unlock(UnlockRequest { key: bytes("no such lock") }).await.unwrap();
}

#[tokio::test]
async fn in_the_order_of_asking() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(c.grant(100).await);
    }
    let first = c.lock.lock(lock("l", leases[0])).await.unwrap().into_inner().key;
    let (send, mut done) = tokio::sync::mpsc::unbounded_channel();
    for (number, lease) in leases.iter().enumerate().skip(1) {
        let (mut other, send, lease) = (server.grpc().await, send.clone(), *lease);
        tokio::spawn(async move {
            let key = other.lock.lock(lock("l", lease)).await.unwrap().into_inner().key;
            let _ = send.send((number, key));
        });
        let mut c = c.clone();
        eventually("it waits", || {
            let mut c = c.clone();
            async move { (c.range(list("l/")).await.count == number as i64 + 1).then_some(()) }
        })
        .await;
        assert!(done.try_recv().is_err());
        let _ = &mut c;
    }
    let mut key = first;
    for want in 1..4 {
        c.lock.unlock(UnlockRequest { key }).await.unwrap();
        let (number, next) = within("the next one gets it", done.recv()).await.unwrap();
        assert_eq!(number, want);
        key = next;
    }
}

#[tokio::test]
async fn giving_up_leaves_the_queue() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let (one, two, three) = (c.grant(100).await, c.grant(100).await, c.grant(100).await);
    let held = c.lock.lock(lock("l", one)).await.unwrap().into_inner().key;
    let mut other = server.grpc().await;
    let waiting = tokio::spawn(async move { other.lock.lock(lock("l", two)).await });
    let in_queue = |c: &keyport_tests::grpc::Grpc, want: i64| {
        let mut c = c.clone();
        async move { (c.range(list("l/")).await.count == want).then_some(()) }
    };
    eventually("it waits", || in_queue(&c, 2)).await;
    waiting.abort();
    eventually("its key is gone", || in_queue(&c, 1)).await;
    let mut other = server.grpc().await;
    let waiting = tokio::spawn(async move { other.lock.lock(lock("l", three)).await });
    eventually("another waits", || in_queue(&c, 2)).await;
    // The owner's lease ends: the next one has it.
    c.lease.lease_revoke(LeaseRevokeRequest { id: one }).await.unwrap();
    let answer = within("the lock", waiting).await.unwrap().unwrap().into_inner();
    assert_ne!(answer.key, held);
}

#[tokio::test]
async fn without_a_lease_and_with_a_bad_one() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let key = c.lock.lock(lock("l", 0)).await.unwrap().into_inner().key;
    let kv = c.get(&text(&key)).await.unwrap();
    assert!(kv.lease != 0 && text(&key) == format!("l/{:x}", kv.lease));
    let answer = c.lock.lock(lock("m", 4711)).await;
    // The code is lost on the way, as etcd's services are clients of their own server.
    refused(answer, Code::Unknown, "etcdserver: requested lease not found");
}

#[tokio::test]
async fn a_lease_that_ends_while_its_owner_waits() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let (one, two) = (c.grant(100).await, c.grant(100).await);
    let key = c.lock.lock(lock("l", one)).await.unwrap().into_inner().key;
    let mut other = server.grpc().await;
    let waiting = tokio::spawn(async move { other.lock.lock(lock("l", two)).await });
    eventually("it waits", async || (c.clone().range(list("l/")).await.count == 2).then_some(())).await;
    c.lease.lease_revoke(LeaseRevokeRequest { id: two }).await.unwrap();
    c.lock.unlock(UnlockRequest { key }).await.unwrap();
    refused(within("an answer", waiting).await.unwrap(), Code::Unknown, "mutex: session is expired");
}
