//! Creating and cancelling watchers: ids, refusals, how streams end.

use keyport_api::etcdserverpb::{WatchCreateRequest, WatchRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{bytes, revision, text, watch, watch_all};

#[tokio::test]
async fn created_says_the_current_revision() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    let mut w = c.watch();
    let created = w.create(watch("k")).await;
    assert_eq!((created.watch_id, created.canceled, revision(&created.header)), (0, false, 2));
    let header = created.header.unwrap();
    assert!(header.cluster_id != 0 && header.member_id != 0 && header.raft_term != 0);
    c.put("k", "next").await;
    let message = w.next().await;
    assert_eq!((message.watch_id, message.events.len(), revision(&message.header)), (0, 1, 3));
    let header = message.header.unwrap();
    assert!(header.cluster_id != 0 && header.member_id != 0 && header.raft_term != 0);
}

#[tokio::test]
async fn ids_are_counted_per_stream_and_skip_those_in_use() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    assert_eq!(w.create(WatchCreateRequest { watch_id: 1, ..watch("k") }).await.watch_id, 1);
    assert_eq!(w.create(watch("k")).await.watch_id, 0);
    assert_eq!(w.create(watch("k")).await.watch_id, 2);
    assert_eq!(w.create(WatchCreateRequest { watch_id: -7, ..watch("k") }).await.watch_id, -7);
    assert_eq!(w.create(watch("k")).await.watch_id, 3);
    let mut other = c.watch();
    assert_eq!(other.create(watch("k")).await.watch_id, 0, "another stream counts for itself");
    c.put("k", "v").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let message = w.next().await;
        assert_eq!(message.events.len(), 1);
        ids.push(message.watch_id);
    }
    ids.sort_unstable();
    assert_eq!(ids, [-7, 0, 1, 2, 3]);
}

#[tokio::test]
async fn an_id_in_use() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(WatchCreateRequest { watch_id: 5, ..watch("k") }).await;
    let answer = w.create(WatchCreateRequest { watch_id: 5, ..watch("k") }).await;
    let reason = "mvcc: duplicate watch ID provided on the WatchStream";
    assert_eq!((answer.watch_id, answer.canceled, answer.cancel_reason.as_str()), (-1, true, reason));
    c.put("k", "v").await;
    assert_eq!(w.next().await.watch_id, 5, "the first one goes on");
}

#[tokio::test]
async fn empty_and_backward_ranges() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    for (key, end) in [("b", "a"), ("b", "b")] {
        let answer = w.create(WatchCreateRequest { range_end: bytes(end), ..watch(key) }).await;
        let reason = "mvcc: watcher range is empty";
        assert_eq!((answer.watch_id, answer.canceled, answer.cancel_reason.as_str()), (-1, true, reason));
    }
    assert!(
        !w.create(WatchCreateRequest { range_end: bytes("\0"), ..watch("b") }).await.canceled,
        "an open end is fine"
    );
}

/// No key stands for one zero byte: with an open end that is everything, alone it is that very key.
#[tokio::test]
async fn no_key() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let (mut single, mut everything) = (c.watch(), c.watch());
    single.create(watch("")).await;
    everything.create(WatchCreateRequest { range_end: bytes("\0"), ..watch("") }).await;
    c.put("a", "1").await;
    c.put("\0", "2").await;
    let seen: Vec<String> = everything.events(2).await.into_iter().map(|e| text(&e.kv.unwrap().key)).collect();
    assert_eq!(seen, ["a", "\0"]);
    assert_eq!(text(&single.events(1).await[0].kv.as_ref().unwrap().key), "\0");
}

#[tokio::test]
async fn cancelling() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(WatchCreateRequest { watch_id: 3, ..watch("k") }).await;
    w.create(WatchCreateRequest { watch_id: 4, ..watch("k") }).await;
    w.cancel(3).await;
    let answer = w.next().await;
    assert_eq!((answer.watch_id, answer.canceled, answer.created), (3, true, false));
    assert_eq!((answer.cancel_reason.as_str(), answer.compact_revision, revision(&answer.header)), ("", 0, 1));
    // Cancelling what is not there has no answer: the next message belongs to the next request.
    w.cancel(3).await;
    w.cancel(99).await;
    let answer = w.create(WatchCreateRequest { watch_id: 3, ..watch("k") }).await;
    assert_eq!((answer.watch_id, answer.canceled), (3, false), "an id that was cancelled is free again");
    c.put("k", "v").await;
    let mut ids = [w.next().await.watch_id, w.next().await.watch_id];
    ids.sort_unstable();
    assert_eq!(ids, [3, 4]);
}

#[tokio::test]
async fn an_empty_request_is_ignored() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.send_raw(WatchRequest { request_union: None }).await;
    assert_eq!(w.create(watch("k")).await.watch_id, 0);
}

#[tokio::test]
async fn closing_the_request_side_does_not_end_the_stream() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(watch("k")).await;
    w.half_close();
    for i in 0..3 {
        c.put("k", &i.to_string()).await;
        assert_eq!(text(&w.events(1).await[0].kv.as_ref().unwrap().value), i.to_string());
    }
}

#[tokio::test]
async fn negative_start_revisions() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    let mut w = c.watch();
    let answer = w.create(WatchCreateRequest { start_revision: -1, ..watch("k") }).await;
    if server.older_than("3.6") {
        // Such a watcher was accepted, and is cancelled as one that starts below the compaction.
        assert!(!answer.canceled);
        return;
    }
    let reason = "etcdserver: mvcc: required revision has been compacted";
    assert_eq!((answer.watch_id, answer.canceled, answer.cancel_reason.as_str()), (-1, true, reason));
    assert_eq!(answer.compact_revision, 0);
}

#[tokio::test]
async fn many_watchers_on_one_stream() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    for i in 0..200 {
        w.create(if i % 2 == 0 { watch("k") } else { watch_all("k") }).await;
    }
    c.put("k", "v").await;
    let mut seen = vec![0; 200];
    for _ in 0..200 {
        let message = w.next().await;
        seen[message.watch_id as usize] += message.events.len();
    }
    assert!(seen.iter().all(|n| *n == 1), "each watcher sees it once");
}
