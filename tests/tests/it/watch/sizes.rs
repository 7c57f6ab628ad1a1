//! Much to tell at once comes in messages that any client takes: gRPC's default limit for one is 4 MiB, and a client that
//! is sent more loses its stream, comes back where it was, and is sent the same again.

use keyport_api::etcdserverpb::WatchCreateRequest;
use keyport_api::etcdserverpb::watch_client::WatchClient;
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, IntoOp, WatchStream, put, watch, watch_all};
use keyport_tests::http::b64;
use keyport_tests::sse::EventStream;
use prost::Message;
use serde_json::{Value, json};

/// No message that could have been two is larger.
const MESSAGE_BYTES: usize = 2 << 20;

/// A client with the limit that libraries have by default.
async fn limited(server: &Server) -> Grpc {
    let mut c = server.grpc().await;
    c.watch = WatchClient::new(c.channel.clone());
    c
}

/// Revision 2 and those after it put `k` over and over.
async fn fill(c: &Grpc, count: i64, bytes: usize) {
    let value = "v".repeat(bytes);
    for _ in 0..count {
        c.clone().put("k", &value).await;
    }
}

/// Reads the events of these revisions, one of each, and returns how many messages they came in.
async fn read(w: &mut WatchStream, first: i64, last: i64) -> usize {
    let (mut next, mut messages) = (first, 0);
    while next <= last {
        let message = w.next().await;
        assert!(message.encoded_len() < MESSAGE_BYTES, "{} bytes", message.encoded_len());
        messages += 1;
        for event in &message.events {
            assert_eq!(event.kv.as_ref().unwrap().mod_revision, next);
            next += 1;
        }
    }
    messages
}

/// A real etcd sends larger ones.
async fn keyport() -> Option<(Server, Grpc)> {
    let server = Server::start();
    if server.is_etcd() {
        return None;
    }
    let c = limited(&server).await;
    Some((server, c))
}

#[tokio::test]
async fn large_values_for_a_reader_that_lags() {
    let Some((_server, c)) = keyport().await else { return };
    let mut w = c.clone().watch();
    w.create(watch("k")).await;
    fill(&c, 60, 300 << 10).await;
    assert!(read(&mut w, 2, 61).await >= 60 / 6);
    fill(&c, 1, 5).await;
    read(&mut w, 62, 62).await;
}

#[tokio::test]
async fn many_values_from_the_past() {
    let Some((_server, c)) = keyport().await else { return };
    fill(&c, 1001, 5 << 10).await;
    let mut w = c.clone().watch();
    w.create(WatchCreateRequest { start_revision: 2, ..watch("k") }).await;
    read(&mut w, 2, 1002).await;
}

#[tokio::test]
async fn previous_pairs_count() {
    let Some((_server, c)) = keyport().await else { return };
    fill(&c, 601, 5 << 10).await;
    let mut w = c.clone().watch();
    w.create(WatchCreateRequest { start_revision: 2, prev_kv: true, ..watch("k") }).await;
    read(&mut w, 2, 602).await;
    // Small values after large ones.
    fill(&c, 1, 1 << 20).await;
    for _ in 0..30 {
        fill(&c, 1, 1).await;
        fill(&c, 1, 1 << 20).await;
    }
    read(&mut w, 603, 603).await;
    let mut late = c.clone().watch();
    late.create(WatchCreateRequest { start_revision: 604, prev_kv: true, ..watch("k") }).await;
    read(&mut late, 604, 663).await;
    read(&mut w, 604, 663).await;
}

#[tokio::test]
async fn only_a_single_revision_is_larger() {
    let Some((_server, mut c)) = keyport().await else { return };
    c.watch = c.watch.max_decoding_message_size(usize::MAX);
    // Each rewrites what the one before wrote, so each event has the old value beside the new one.
    let value = "v".repeat(20_000);
    for _ in 0..4 {
        let success = (0..70).map(|i| put(&format!("k{i:02}"), &value).op()).collect();
        c.txn(keyport_api::etcdserverpb::TxnRequest { success, ..Default::default() }).await;
    }
    let mut w = c.watch();
    w.create(WatchCreateRequest { start_revision: 2, prev_kv: true, ..watch_all("k") }).await;
    for revision in 2..6 {
        let message = w.next().await;
        let revisions = message.events.iter().map(|event| event.kv.as_ref().unwrap().mod_revision);
        assert_eq!(revisions.collect::<Vec<_>>(), [revision; 70]);
    }
}

#[tokio::test]
async fn json_and_server_sent_events_tell_all_of_it() {
    let Some((server, c)) = keyport().await else { return };
    let mut live = EventStream::open(&server.http(), "/v3/watch?key=k", "").await;
    fill(&c, 40, 300 << 10).await;
    let create = json!({ "create_request": { "key": b64("k"), "start_revision": "2", "prev_kv": true } });
    let mut lines = server.http().stream("/v3/watch", format!("{create}\n")).await;
    assert_eq!(lines.json().await["result"]["created"], true);
    let mut next = 2;
    while next < 42 {
        let line = lines.line().await.expect("the stream goes on");
        assert!(line.len() < MESSAGE_BYTES, "{} bytes", line.len());
        let message: Value = serde_json::from_str(&line).unwrap();
        for event in message["result"]["events"].as_array().expect("events") {
            assert_eq!(event["kv"]["mod_revision"], next.to_string());
            next += 1;
        }
    }
    let mut late = EventStream::open(&server.http(), "/v3/watch?key=k&start_revision=2", "").await;
    for stream in [&mut live, &mut late] {
        for revision in 2..42 {
            let mut event = stream.next().await.expect("the stream goes on");
            while event.event != "put" {
                event = stream.next().await.expect("the stream goes on");
            }
            assert_eq!(event.id, revision.to_string());
        }
    }
}
