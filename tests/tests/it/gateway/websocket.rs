//! WebSocket on the paths of streams, with frames made by hand.

use keyport_tests::Server;
use keyport_tests::http::b64;
use keyport_tests::websocket::{self, FIN, message, opcode, text};
use serde_json::json;

#[tokio::test]
async fn a_watch() {
    let server = Server::start();
    let mut c = server.grpc().await;
    if server.older_than("3.6") {
        return; // looks at the token although there is no auth
    }
    let (mut raw, head) =
        websocket::open(server.addr(), "/v3/watch", "Sec-WebSocket-Protocol: Bearer, token\r\n").await;
    let lower = head.to_lowercase();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(lower.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert!(lower.contains("sec-websocket-protocol: bearer"), "{head}");
    for id in 1..=3 {
        let create = json!({ "create_request": { "key": b64("k"), "watch_id": id, "progress_notify": true } });
        assert!(raw.send(text(&create.to_string())).await);
        let created = message(&mut raw).await;
        assert_eq!(
            (&created["result"]["created"], &created["result"]["watch_id"]),
            (&true.into(), &id.to_string().into())
        );
    }
    c.put("k", "v").await;
    for _ in 0..3 {
        assert_eq!(message(&mut raw).await["result"]["events"][0]["kv"]["value"], b64("v"));
    }
    c.put("k", &"x".repeat(100_000)).await;
    assert_eq!(message(&mut raw).await["result"]["events"][0]["kv"]["version"], "2");
}

/// As `watch::bursts`, in a frame each and, where a frame may hold several, all in one.
#[tokio::test]
async fn a_create_after_many_requests_without_answers() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for (count, together) in [(32, false), (33, false), (1000, false), (32, true), (33, true)] {
        if together && server.is_etcd() {
            continue; // takes one
        }
        let key = format!("k{count}{together}");
        let unanswered =
            [r#"{"progress_request":{}}"#.to_owned(), r#"{"cancel_request":{"watch_id":"4711"}}"#.to_owned()];
        let create = json!({ "create_request": { "key": b64(&key) } }).to_string();
        let requests = unanswered.iter().cycle().take(count).chain([&create]);
        let burst = match together {
            true => text(&requests.cloned().collect::<Vec<_>>().join("\n")),
            false => requests.flat_map(|request| text(request)).collect(),
        };
        let (mut raw, _) = websocket::open(server.addr(), "/v3/watch", "").await;
        assert!(raw.send(burst).await);
        while message(&mut raw).await["result"]["created"] != true {}
        c.put(&key, "v").await;
        assert_eq!(message(&mut raw).await["result"]["events"][0]["kv"]["key"], b64(&key));
    }
}

#[tokio::test]
async fn keep_alives() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let id = c.grant(60).await;
    let (mut raw, head) = websocket::open(server.addr(), "/v3/lease/keepalive", "").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    for _ in 0..3 {
        assert!(raw.send(text(&json!({ "ID": id }).to_string())).await);
        assert_eq!(message(&mut raw).await["result"]["TTL"], "60");
    }
}

/// A caller that pings and never reads is not heard any more, rather than have the answers kept for it.
#[tokio::test]
async fn pings_without_end() {
    /// Far more than what kernels keep for two sockets.
    const MOST: usize = 100 << 20;
    let server = Server::start();
    let (mut raw, _) = websocket::open(server.addr(), "/v3/watch", "").await;
    let many = websocket::frame(FIN | opcode::PING, &[b'x'; 125]).repeat(1000);
    let mut taken = 0;
    while taken < MOST {
        let sent = tokio::time::timeout(std::time::Duration::from_secs(3), raw.send(&many)).await;
        if !matches!(sent, Ok(true)) {
            break;
        }
        taken += many.len();
    }
    assert!(taken < MOST, "the server takes pings without end");
    // The others do not mind.
    assert_eq!(server.http().get("/health").await.status, 200);
}
