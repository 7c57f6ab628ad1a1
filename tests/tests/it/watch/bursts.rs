//! Many requests at once, most of which have no answer: those after them are answered all the same.

use keyport_api::etcdserverpb::watch_request::RequestUnion;
use keyport_api::etcdserverpb::{WatchCancelRequest, WatchProgressRequest, WatchRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{text, watch};
use keyport_tests::wait::within;
use tokio_stream::StreamExt;

/// What has no answer on a stream without watchers.
fn unanswered(kind: usize) -> RequestUnion {
    match kind {
        0 => RequestUnion::ProgressRequest(WatchProgressRequest {}),
        _ => RequestUnion::CancelRequest(WatchCancelRequest { watch_id: 4711 }),
    }
}

#[tokio::test]
async fn a_create_after_many_requests_without_answers() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for count in [1, 31, 32, 33, 64, 1000] {
        for kinds in [vec![0], vec![1], vec![0, 1]] {
            let many = kinds.iter().cycle().take(count).map(|kind| unanswered(*kind));
            let key = format!("k{count}{kinds:?}");
            let all = many.chain([RequestUnion::CreateRequest(watch(&key))]);
            let all: Vec<_> = all.map(|request| WatchRequest { request_union: Some(request) }).collect();
            // They are there before the stream is: one burst.
            let requests = tokio_stream::iter(all).chain(tokio_stream::pending());
            let what = format!("{count} requests of kinds {kinds:?}, then a create");
            let mut answers = within(&what, c.watch.watch(requests)).await.unwrap().into_inner();
            // Releases before 3.6 say how far they are though nobody watches.
            while !within(&what, answers.message()).await.unwrap().unwrap().created {}
            c.put(&key, "v").await;
            let event = within(&what, answers.message()).await.unwrap().unwrap().events.remove(0);
            assert_eq!(text(&event.kv.unwrap().key), key);
        }
    }
}

/// The backlog of a reader that is slow may consist of what nobody wants any more: what it asks for next is still heard.
#[tokio::test]
async fn requests_behind_a_backlog_of_a_cancelled_watcher() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut w = c.watch();
    w.create(watch("k")).await;
    // Answers wait, far more than the connection takes unasked.
    let value = "x".repeat(100_000);
    for _ in 0..200 {
        c.put("k", &value).await;
    }
    w.cancel(0).await;
    for _ in 0..33 {
        w.progress().await;
    }
    w.ask(watch("l")).await;
    let mut message = w.next().await;
    while !message.created {
        message = w.next().await;
    }
    c.put("l", "v").await;
    assert_eq!(text(&w.events(1).await[0].kv.as_ref().unwrap().key), "l");
}
