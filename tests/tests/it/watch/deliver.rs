//! What live watchers get: events, previous pairs, filters, order, fragments.

use keyport_api::etcdserverpb::watch_create_request::FilterType;
use keyport_api::etcdserverpb::{PutRequest, TxnRequest, WatchCreateRequest};
use keyport_api::mvccpb::event::EventType;
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, IntoOp, delete, delete_all, put, revision, text, watch, watch_all};

async fn puts(c: &mut Grpc, keys: &[&str]) -> i64 {
    let success = keys.iter().map(|k| put(k, "v").op()).collect();
    revision(&c.txn(TxnRequest { success, ..TxnRequest::default() }).await.header)
}

#[tokio::test]
async fn puts_and_deletes() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    let mut w = c.watch();
    w.create(watch("k")).await;
    c.put_of(PutRequest { lease, ..put("k", "v") }).await;
    c.put("other", "v").await;
    c.delete("k").await;
    let event = &w.events(1).await[0];
    let kv = event.kv.as_ref().unwrap();
    assert_eq!((event.r#type(), text(&kv.value).as_str(), kv.lease), (EventType::Put, "v", lease));
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version, &event.prev_kv), (2, 2, 1, &None));
    let event = &w.events(1).await[0];
    let kv = event.kv.as_ref().unwrap();
    assert_eq!((event.r#type(), text(&kv.key).as_str(), kv.mod_revision), (EventType::Delete, "k", 4));
    let rest = (kv.value.len(), kv.create_revision, kv.version, kv.lease, &event.prev_kv);
    assert_eq!(rest, (0, 0, 0, 0, &None), "a deletion has only key and mod_revision");
}

#[tokio::test]
async fn one_message_a_revision_in_order() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(watch_all("p/")).await;
    assert_eq!(puts(&mut c, &["p/b", "x", "p/a", "p/c"]).await, 2);
    c.kv.delete_range(delete_all("p/")).await.unwrap();
    for (at, kind, keys) in [(2, EventType::Put, ["p/b", "p/a", "p/c"]), (3, EventType::Delete, ["p/a", "p/b", "p/c"])]
    {
        let message = w.next().await;
        assert_eq!(revision(&message.header), at);
        let seen: Vec<String> = message.events.iter().map(|e| text(&e.kv.as_ref().unwrap().key)).collect();
        assert_eq!(seen, keys);
        assert!(message.events.iter().all(|e| e.r#type() == kind && e.kv.as_ref().unwrap().mod_revision == at));
    }
}

#[tokio::test]
async fn previous_pairs() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(WatchCreateRequest { prev_kv: true, ..watch_all("k") }).await;
    c.put("k", "one").await;
    c.put("k", "two").await;
    c.delete("k").await;
    c.put("k", "three").await;
    // Made and removed within one revision.
    let ops = vec![put("k2", "x").op()];
    let gone = TxnRequest { success: vec![delete("k2").op()], ..TxnRequest::default() };
    let nested = TxnRequest { success: ops, ..TxnRequest::default() };
    c.txn(TxnRequest { success: vec![nested.op(), gone.op()], ..TxnRequest::default() }).await;
    let events = w.events(6).await;
    let prev: Vec<Option<(String, i64)>> =
        events.iter().map(|e| e.prev_kv.as_ref().map(|p| (text(&p.value), p.mod_revision))).collect();
    let was = |value: &str, at| Some((value.to_string(), at));
    assert_eq!(prev, [None, was("one", 2), was("two", 3), None, None, None]);
}

#[tokio::test]
async fn filters() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let filter = |filters: Vec<i32>| WatchCreateRequest { filters, ..watch_all("k") };
    let (mut no_put, mut no_delete, mut nothing, mut odd) = (c.watch(), c.watch(), c.watch(), c.watch());
    no_put.create(filter(vec![FilterType::Noput.into()])).await;
    no_delete.create(filter(vec![FilterType::Nodelete.into()])).await;
    nothing.create(filter(vec![FilterType::Noput.into(), FilterType::Nodelete.into()])).await;
    odd.create(filter(vec![9])).await;
    c.put("k", "v").await;
    c.delete("k").await;
    c.put("k", "w").await;
    let kinds = |events: &[keyport_api::mvccpb::Event]| events.iter().map(|e| e.r#type).collect::<Vec<_>>();
    assert_eq!(kinds(&no_put.events(1).await), [1]);
    assert_eq!(kinds(&no_delete.events(2).await), [0, 0]);
    assert_eq!(kinds(&odd.events(3).await), [0, 1, 0], "unknown filters are ignored");
    // Nothing is sent for a batch that is filtered empty: the next message is this watcher's end.
    nothing.cancel(0).await;
    assert!(nothing.next().await.canceled);
}

#[tokio::test]
async fn several_watchers_of_one_stream_are_independent() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(WatchCreateRequest { watch_id: 1, ..watch("a") }).await;
    w.create(WatchCreateRequest { watch_id: 2, ..watch_all("") }).await;
    for i in 0..50 {
        c.put(if i % 2 == 0 { "a" } else { "b" }, &i.to_string()).await;
    }
    let (mut one, mut two) = (Vec::new(), Vec::new());
    while one.len() + two.len() < 75 {
        let message = w.next().await;
        let of = if message.watch_id == 1 { &mut one } else { &mut two };
        of.extend(message.events.iter().map(|e| e.kv.as_ref().unwrap().mod_revision));
    }
    assert_eq!(one, (2..52).step_by(2).collect::<Vec<i64>>());
    assert_eq!(two, (2..52).collect::<Vec<i64>>());
}

/// A revision larger than a message should be: in pieces if asked for, whole otherwise.
#[tokio::test]
async fn fragments() {
    let server = Server::builder().args(["--max-request-bytes", "1000000"]).start();
    let mut c = server.grpc().await;
    let (mut whole, mut pieces) = (c.watch(), c.watch());
    whole.create(watch_all("k")).await;
    pieces.create(WatchCreateRequest { fragment: true, ..watch_all("k") }).await;
    let value = "x".repeat(900_000);
    for i in 0..4 {
        c.put(&format!("k{i}"), &value).await;
    }
    // Deleting sends little; deleting with the previous pairs sends all of it in one revision.
    let (mut prev_whole, mut prev_pieces) = (c.watch(), c.watch());
    prev_whole.create(WatchCreateRequest { prev_kv: true, ..watch_all("k") }).await;
    prev_pieces.create(WatchCreateRequest { prev_kv: true, fragment: true, ..watch_all("k") }).await;
    c.kv.delete_range(delete_all("k")).await.unwrap();
    let message = prev_whole.next().await;
    assert_eq!((message.events.len(), message.fragment), (4, false));
    let (mut flags, mut keys) = (Vec::new(), Vec::new());
    while keys.len() < 4 {
        let message = prev_pieces.next().await;
        assert_eq!(revision(&message.header), 6);
        flags.push(message.fragment);
        keys.extend(message.events.iter().map(|e| text(&e.kv.as_ref().unwrap().key)));
    }
    assert_eq!(keys, ["k0", "k1", "k2", "k3"]);
    assert_eq!(flags.last(), Some(&false), "the last one says so");
    assert!(flags.len() > 1 && flags[..flags.len() - 1].iter().all(|f| *f), "{flags:?}");
    assert_eq!(whole.events(8).await.len(), 8);
    assert_eq!(pieces.events(8).await.len(), 8);
}

/// A stream whose reader stalls is neither cancelled nor does it lose anything, and others do not wait for it.
#[tokio::test]
async fn a_reader_that_stalls_catches_up() {
    let server = Server::start();
    let mut slow = server.grpc().await;
    let mut c = server.grpc().await;
    let (mut stalled, mut prompt) = (slow.watch(), c.watch());
    stalled.create(watch_all("k")).await;
    prompt.create(watch_all("k")).await;
    let value = "x".repeat(20_000);
    let total = 1500; // 30 MB: far more than windows and queues hold
    for i in 0..total {
        c.put(&format!("k{}", i % 50), &value).await;
        if i % 100 == 99 {
            prompt.events(100).await;
        }
    }
    let mut next = 2;
    while next < total + 2 {
        let message = stalled.next().await;
        assert!(!message.canceled, "{message:?}");
        for event in message.events {
            assert_eq!(event.kv.unwrap().mod_revision, next, "no gap, no repetition");
            next += 1;
        }
    }
}
