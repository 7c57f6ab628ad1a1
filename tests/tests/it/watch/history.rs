//! Watchers that start in the past, in the future, or below a compaction.

use keyport_api::etcdserverpb::WatchCreateRequest;
use keyport_api::mvccpb::event::EventType;
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, revision, text, watch, watch_all};

fn from(revision: i64, create: WatchCreateRequest) -> WatchCreateRequest {
    WatchCreateRequest { start_revision: revision, ..create }
}

async fn revisions(w: &mut keyport_tests::grpc::WatchStream, count: usize) -> Vec<i64> {
    w.events(count).await.into_iter().map(|e| e.kv.unwrap().mod_revision).collect()
}

async fn fill(c: &mut Grpc, count: i64) {
    for i in 0..count {
        c.put(if i % 2 == 0 { "k" } else { "l" }, &i.to_string()).await;
    }
}

#[tokio::test]
async fn history_then_live() {
    let server = Server::start();
    let mut c = server.grpc().await;
    fill(&mut c, 10).await; // revisions 2 to 11
    let mut w = c.watch();
    let created = w.create(from(4, watch("k"))).await;
    assert_eq!((revision(&created.header), created.events.len()), (11, 0));
    c.put("k", "live").await;
    assert_eq!(revisions(&mut w, 5).await, [4, 6, 8, 10, 12]);
}

#[tokio::test]
async fn history_is_batched_and_its_header_is_current() {
    let server = Server::start();
    let mut c = server.grpc().await;
    fill(&mut c, 20).await;
    let mut w = c.watch();
    w.create(from(2, watch_all(""))).await;
    let message = w.next().await;
    assert_eq!(message.events.len(), 20);
    assert_eq!(revision(&message.header), 21);
}

#[tokio::test]
async fn long_history_comes_in_batches_without_gaps() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let total = 2500;
    let mut puts = Vec::new();
    for task in 0..10 {
        let mut c = c.clone();
        puts.push(tokio::spawn(async move {
            for i in 0..total / 10 {
                c.put(&format!("k{task}"), &i.to_string()).await;
            }
        }));
    }
    for task in puts {
        task.await.unwrap();
    }
    let mut w = c.watch();
    w.create(from(1, watch_all("k"))).await;
    let mut next = 2;
    while next < total + 2 {
        let message = w.next().await;
        assert!(message.events.len() <= 1000, "{}", message.events.len());
        assert_eq!(revision(&message.header), total + 1);
        for event in message.events {
            assert_eq!(event.kv.unwrap().mod_revision, next);
            next += 1;
        }
    }
}

#[tokio::test]
async fn one_revision_is_never_split() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for _ in 0..5 {
        let success =
            (0..50).map(|i| keyport_tests::grpc::IntoOp::op(keyport_tests::grpc::put(&format!("k{i}"), ""))).collect();
        c.txn(keyport_api::etcdserverpb::TxnRequest { success, ..Default::default() }).await;
    }
    let mut w = c.watch();
    w.create(from(2, watch_all("k"))).await;
    let mut seen = 0;
    while seen < 250 {
        let message = w.next().await;
        assert_eq!(message.events.len() % 50, 0);
        seen += message.events.len();
    }
}

#[tokio::test]
async fn starting_in_the_future() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    let created = w.create(from(5, watch("k"))).await;
    assert_eq!((created.canceled, revision(&created.header)), (false, 1));
    for i in 0..5 {
        c.put("k", &i.to_string()).await;
    }
    assert_eq!(revisions(&mut w, 2).await, [5, 6]);
}

#[tokio::test]
async fn below_the_compaction() {
    let server = Server::start();
    let mut c = server.grpc().await;
    fill(&mut c, 10).await;
    c.compact(7).await;
    let mut w = c.watch();
    let created = w.create(from(6, watch("k"))).await;
    assert_eq!((created.canceled, created.watch_id, revision(&created.header)), (false, 0, 11));
    let end = w.next().await;
    assert_eq!((end.canceled, end.created, end.watch_id, end.compact_revision), (true, false, 0, 7));
    assert_eq!((end.cancel_reason.as_str(), revision(&end.header)), ("", 0));
    assert!(end.header.unwrap().member_id != 0);

    // Its id stays taken until the client cancels it too, which is answered once more.
    let again = w.create(WatchCreateRequest { watch_id: 0, ..watch("k") }).await;
    assert_eq!(again.watch_id, 1);
    w.cancel(0).await;
    let answer = w.next().await;
    assert_eq!((answer.watch_id, answer.canceled), (0, true));
}

#[tokio::test]
async fn at_the_compacted_revision_exactly() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "old").await; // 2
    c.put("l", "x").await; // 3
    c.delete("l").await; // 4
    c.compact(4).await;
    c.put("k", "new").await; // 5
    let mut w = c.watch();
    w.create(from(4, watch_all(""))).await;
    let mut events = w.events(1).await;
    if !server.older_than("3.6") {
        // Its tombstone is still there.
        assert_eq!((events[0].r#type(), text(&events[0].kv.as_ref().unwrap().key).as_str()), (EventType::Delete, "l"));
        events.remove(0);
        if events.is_empty() {
            events = w.events(1).await;
        }
    }
    assert_eq!((events[0].r#type(), text(&events[0].kv.as_ref().unwrap().key).as_str()), (EventType::Put, "k"));
}

#[tokio::test]
async fn a_compaction_does_not_touch_watchers_that_are_up_to_date() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(watch("k")).await;
    fill(&mut c, 10).await;
    c.compact(11).await;
    c.put("k", "more").await;
    assert_eq!(revisions(&mut w, 6).await, [2, 4, 6, 8, 10, 12]);
}

#[tokio::test]
async fn previous_pairs_that_were_compacted() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "one").await; // 2
    c.put("k", "two").await; // 3
    c.put("k", "three").await; // 4
    c.compact(3).await;
    let mut w = c.watch();
    w.create(WatchCreateRequest { prev_kv: true, ..from(3, watch("k")) }).await;
    let events = w.events(2).await;
    assert_eq!(events[0].prev_kv, None, "compacted");
    assert_eq!(text(&events[1].prev_kv.as_ref().unwrap().value), "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_resume_after_a_restart() {
    let mut server = Server::start();
    let mut c = server.grpc().await;
    fill(&mut c, 6).await;
    let mut w = c.watch();
    w.create(from(2, watch("k"))).await;
    assert_eq!(revisions(&mut w, 3).await, [2, 4, 6]);
    server.stop();
    assert!(matches!(w.message().await, Err(_) | Ok(None)), "the stream ends with the server");
    server.restart();
    let mut c = server.grpc().await;
    c.put("k", "after").await;
    let mut w = c.watch();
    w.create(from(5, watch("k"))).await;
    assert_eq!(revisions(&mut w, 2).await, [6, 8]);
}
