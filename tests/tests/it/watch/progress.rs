//! Progress: asked for, and on its own.

use keyport_api::etcdserverpb::WatchCreateRequest;
use keyport_tests::Server;
use keyport_tests::grpc::{WatchStream, revision, watch};

/// Asks for progress until it is answered: right after creation a watcher may still be catching up.
async fn progress(w: &mut WatchStream) -> keyport_api::etcdserverpb::WatchResponse {
    let end = std::time::Instant::now() + keyport_tests::wait::PATIENCE;
    loop {
        w.progress().await;
        let answer = tokio::time::timeout(std::time::Duration::from_millis(300), w.message()).await;
        if let Ok(answer) = answer {
            return answer.unwrap().unwrap();
        }
        assert!(std::time::Instant::now() < end, "no progress");
    }
}

#[tokio::test]
async fn asked_for() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(watch("k")).await;
    w.create(watch("l")).await;
    c.put("other", "v").await;
    let answer = progress(&mut w).await;
    // Releases before 3.6 answered with the id of a watcher.
    if !server.older_than("3.6") {
        assert_eq!(answer.watch_id, -1);
        assert_eq!(revision(&answer.header), 2);
    }
    assert!(answer.events.is_empty() && !answer.created && !answer.canceled);
}

/// No answer on a stream without watchers, nor if one starts in the future: the next message is another request's.
#[tokio::test]
async fn not_answered() {
    let server = Server::start();
    if server.older_than("3.6") {
        return; // those answered for each watcher
    }
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.progress().await;
    assert!(w.create(watch("k")).await.created);
    progress(&mut w).await;
    w.create(WatchCreateRequest { start_revision: 100, watch_id: 7, ..watch("l") }).await;
    w.progress().await;
    w.cancel(7).await;
    assert!(w.next().await.canceled);
    progress(&mut w).await;
    // A watcher that a compaction cancelled blocks it until the client cancels it as well.
    for i in 0..4 {
        c.put("other", &i.to_string()).await;
    }
    c.compact(4).await;
    w.create(WatchCreateRequest { start_revision: 2, watch_id: 8, ..watch("m") }).await;
    assert_eq!(w.next().await.compact_revision, 4);
    w.progress().await;
    w.cancel(8).await;
    assert_eq!(w.next().await.watch_id, 8);
    assert_eq!(progress(&mut w).await.watch_id, -1);
}

#[tokio::test]
async fn on_its_own() {
    let builder = Server::builder();
    let flag = if builder.older_than("3.6") { "experimental-" } else { "" };
    let server = builder.args([format!("--{flag}watch-progress-notify-interval=200ms")]).start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(WatchCreateRequest { progress_notify: true, watch_id: 3, ..watch("k") }).await;
    w.create(WatchCreateRequest { watch_id: 4, ..watch("k") }).await;
    c.put("other", "v").await;
    let mut answer = w.next().await;
    while revision(&answer.header) < 2 {
        answer = w.next().await; // a tick before the put
    }
    assert_eq!((answer.watch_id, answer.events.len()), (3, 0), "only for those who want it");
}
