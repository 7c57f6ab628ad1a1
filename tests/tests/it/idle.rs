//! What connections cost that are open and do nothing: clients keep many.

use keyport_tests::Server;
use keyport_tests::raw::Raw;

const COUNT: usize = 400;
/// Of memory, for each. Release builds take less than half of it.
const MOST_KIB: u64 = 50;

const WEBSOCKET: &str = "GET /v3/watch HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A watch by WebSocket that nothing happens to.
async fn watch(server: &Server) -> Raw {
    let mut raw = Raw::connect(server.addr()).await;
    assert!(raw.send(WEBSOCKET).await);
    assert_eq!(raw.status().await, 101);
    let create = br#"{"create_request":{"key":"aw=="}}"#;
    assert!(raw.send([&[0x81, 0x80 | create.len() as u8, 0, 0, 0, 0][..], create].concat()).await);
    raw.read_until(br#""created":true"#).await.unwrap();
    raw
}

/// A connection that is kept after its first request.
async fn keep(server: &Server) -> Raw {
    let mut raw = Raw::connect(server.addr()).await;
    assert!(raw.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await);
    raw.read_until(br#""health":"true""#).await.unwrap();
    raw
}

/// What one costs, in KiB, once those before have left behind what stays.
async fn cost(open: impl AsyncFn(&Server) -> Raw) -> u64 {
    let server = Server::start();
    let mut memory = 0;
    let mut connections = Vec::new();
    for n in 0..COUNT + COUNT / 10 {
        if n == COUNT / 10 {
            memory = server.memory_mib("VmRSS");
        }
        connections.push(open(&server).await);
    }
    let each = server.memory_mib("VmRSS").saturating_sub(memory) * 1024 / COUNT as u64;
    // etcd takes twice as much for a WebSocket.
    assert!(server.is_etcd() || each < MOST_KIB, "{each} KiB each");
    each
}

#[tokio::test]
async fn watches_by_websocket() {
    println!("a watch by WebSocket takes {} KiB", cost(watch).await);
}

#[tokio::test]
async fn connections_that_are_kept() {
    println!("a connection that is kept takes {} KiB", cost(keep).await);
}
