//! More connections from one address than it may have.

use keyport_tests::raw::Raw;
use keyport_tests::wait::eventually;

use super::server;

const HELLO: &str = "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn who_is_served_stays_and_who_comes_then_is_told_to_come_again() {
    let Some(server) = server(["--max-connections-per-address=3"]) else { return };
    let mut idle = Raw::connect(server.addr()).await;
    idle.send(HELLO).await;
    assert_eq!(idle.status().await, 200);
    let mut watching = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(server.addr()).await;
        let create = r#"{"create_request":{"key":"aw=="}}"#;
        let length = create.len();
        raw.send(format!("POST /v3/watch HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{create}"))
            .await;
        raw.read_until(b"\"created\":true").await.expect("it is watching");
        watching.push(raw);
    }
    idle.read_to_end().await;
    let mut refused = Raw::connect(server.addr()).await;
    refused.send(HELLO).await;
    let answer = String::from_utf8_lossy(&refused.read_to_end().await).into_owned();
    assert!(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\nretry-after: 1\r\n"), "{answer}");
    assert!(answer.contains("\"type\":\"/problems/too-many-requests\""), "{answer}");
    watching.pop();
    eventually("there is a place again", async || {
        let mut raw = Raw::connect(server.addr()).await;
        raw.send(HELLO).await;
        (raw.status().await == 200).then_some(())
    })
    .await;
}
