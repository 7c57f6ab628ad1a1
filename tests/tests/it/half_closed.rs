//! Clients that close their half of the connection once they have asked: whoever waits for an answer gets it, and whoever
//! is gone leaves nothing behind.

use keyport_tests::grpc::{bytes, list};
use keyport_tests::raw::Raw;
use keyport_tests::wait::eventually;
use keyport_tests::{Cluster, Server};
use std::net::SocketAddr;

const TIMES: usize = 20;

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Asks, says that this was all, and reads to the end.
async fn ask(addr: SocketAddr, request: &str) -> String {
    let mut raw = Raw::connect(addr).await;
    assert!(raw.send(request).await);
    raw.finish().await;
    String::from_utf8_lossy(&raw.read_to_end().await).into_owned()
}

pub(crate) async fn all_answered(addr: SocketAddr, request: &str, wanted: &str) {
    for time in 0..TIMES {
        let answer = ask(addr, request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{time}: {request:?}: {answer:?}");
        assert!(answer.contains(wanted), "{time}: {request:?}: {answer:?}");
    }
}

#[tokio::test]
async fn who_waits_gets_an_answer() {
    let server = Server::start();
    if server.is_etcd() {
        return; // takes such a client for gone
    }
    let addr = server.addr();
    all_answered(addr, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", r#""health":"true""#).await;
    all_answered(addr, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "process_open_fds").await;
    all_answered(addr, &post("/v3/kv/put", r#"{"key":"aw==","value":"dg=="}"#), r#""revision""#).await;
    all_answered(addr, &post("/v3/kv/range", r#"{"key":"aw=="}"#), r#""value":"dg==""#).await;
    let mut c = server.grpc().await;
    assert_eq!(c.get("k").await.unwrap().version, TIMES as i64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_follower_too() {
    let cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return;
    }
    let addr = cluster.members[cluster.follower().await].addr();
    all_answered(addr, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", r#""health":"true""#).await;
    all_answered(addr, &post("/v3/kv/put", r#"{"key":"aw==","value":"dg=="}"#), r#""revision""#).await;
    all_answered(addr, &post("/v3/kv/range", r#"{"key":"aw=="}"#), r#""value":"dg==""#).await;
}

/// A form of watch that HTTP/1.1 has: what is sent, what is sent once it is answered, and what the answer says when the
/// watcher is there.
struct Form {
    request: Vec<u8>,
    message: Vec<u8>,
    begun: &'static str,
}

fn forms() -> [Form; 3] {
    let create = r#"{"create_request":{"key":"aw=="}}"#;
    let upgrade = "GET /v3/watch HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let events = "GET /v3/watch?key=k HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    // A text, masked with zeros.
    let message = [&[0x81, 0x80 | create.len() as u8, 0, 0, 0, 0], create.as_bytes()].concat();
    [
        Form { request: post("/v3/watch", create).into(), message: Vec::new(), begun: r#""created":true"# },
        Form { request: upgrade.into(), message, begun: r#""created":true"# },
        Form { request: events.into(), message: Vec::new(), begun: "event: opened" },
    ]
}

impl Form {
    async fn open(&self, server: &Server) -> Raw {
        let mut raw = Raw::connect(server.addr()).await;
        assert!(raw.send(&self.request).await);
        raw.read_until(b"\r\n\r\n").await.unwrap_or_else(|got| panic!("{}", String::from_utf8_lossy(&got)));
        assert!(raw.send(&self.message).await);
        let begun = raw.read_until(self.begun.as_bytes()).await;
        begun.unwrap_or_else(|got| panic!("{}", String::from_utf8_lossy(&got)));
        raw
    }
}

async fn watchers(server: &Server) -> String {
    let metrics = server.http().get("/metrics").await.text();
    metrics.lines().find_map(|line| line.strip_prefix("etcd_debugging_mvcc_watcher_total ")).unwrap().to_owned()
}

#[tokio::test]
async fn closed_watches_leave_no_watcher() {
    let server = Server::start();
    // etcd has no event stream.
    for form in forms().into_iter().take(if server.is_etcd() { 2 } else { 3 }) {
        let mut open = Vec::new();
        for _ in 0..50 {
            open.push(form.open(&server).await);
        }
        assert_eq!(watchers(&server).await, "50", "{}", form.begun);
        drop(open);
        eventually("no watcher is left", async || (watchers(&server).await == "0").then_some(())).await;
    }
}

/// Nobody can tell whether who closes one half still reads; a watch would last for ever.
#[tokio::test]
async fn half_closed_watches_end() {
    let server = Server::start();
    if server.is_etcd() {
        return;
    }
    for form in forms() {
        let mut raw = form.open(&server).await;
        raw.finish().await;
        raw.read_to_end().await;
    }
    eventually("no watcher is left", async || (watchers(&server).await == "0").then_some(())).await;
}

#[tokio::test]
async fn a_lock_whose_client_closes_leaves_the_line() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let (holds, waits) = (c.grant(1000).await, c.grant(1000).await);
    let lock = keyport_api::v3lockpb::LockRequest { name: bytes("l"), lease: holds };
    c.lock.lock(lock).await.unwrap();
    let in_line = async |want: i64| {
        eventually("so many are in line", async || {
            let count = server.grpc().await.range(list("l/")).await.count;
            (count == want).then_some(())
        })
        .await;
    };
    for half in [false, true] {
        let mut raw = Raw::connect(server.addr()).await;
        let name = keyport_tests::http::b64("l");
        assert!(raw.send(post("/v3/lock/lock", &format!(r#"{{"name":"{name}","lease":"{waits}"}}"#))).await);
        in_line(2).await;
        if half {
            raw.finish().await;
        } else {
            drop(raw);
        }
        in_line(1).await;
    }
}
