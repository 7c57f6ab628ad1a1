//! WebSockets on keys: who may open one, by the means that a page has, what the audit log says of it, and that it ends with the
//! right to read.

use keyport_tests::http::b64;
use keyport_tests::websocket::{closed, message, open};
use serde_json::json;

use super::super::{DENIED, NO_NAME};
use super::Log;

#[tokio::test]
async fn a_token_opens_it_and_what_may_not_be_read_any_more_ends_it() {
    let (realm, log) = Log::realm().await;
    let addr = realm.server.addr();
    let (root, reader) = (realm.token("root").await, realm.token("reader").await);
    let refused = async |path: &str, more: &str, status: &str, detail: &str| {
        let (mut raw, head) = open(addr, path, more).await;
        let body = raw.read_until(b"}").await.unwrap_or_default();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(body.contains(detail), "{body}");
    };
    refused("/v3/keys/k/1", "", "401", NO_NAME).await;
    refused("/v3/keys/other", &format!("Sec-WebSocket-Protocol: Bearer, {reader}\r\n"), "403", DENIED).await;
    refused("/v3/keys?watch", &format!("Sec-WebSocket-Protocol: Bearer, {reader}\r\n"), "403", DENIED).await;

    let cookie = realm.cookie("reader", "reader's").await;
    let mut sockets = Vec::new();
    for more in [format!("Sec-WebSocket-Protocol: Bearer, {reader}\r\n"), format!("Cookie: {cookie}\r\n")] {
        let (mut raw, head) = open(addr, "/v3/keys?prefix=k/", &more).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert_eq!(head.to_lowercase().contains("sec-websocket-protocol: bearer"), more.starts_with("Sec"), "{head}");
        assert_eq!(message(&mut raw).await["event"], "opened");
        sockets.push(raw);
    }
    realm.done(&root, "/v3/kv/put", json!({ "key": b64("k/1"), "value": b64("v") })).await;
    for raw in &mut sockets {
        assert_eq!(message(raw).await["data"]["key"], "k/1");
    }
    realm.narrow(&root).await;
    for raw in &mut sockets {
        let last = message(raw).await;
        assert_eq!((&last["event"], &last["data"]["detail"]), (&json!("failed"), &json!(DENIED)));
        assert_eq!(closed(raw).await, Some(1000));
    }
    let of_sockets = |lines: &[serde_json::Value]| {
        let lines: Vec<_> = lines.iter().filter(|line| line["call"] == "GET /v3/keys").cloned().collect();
        (lines.len() >= 3).then_some(lines)
    };
    let lines = log.once("the lines of the sockets", of_sockets).await;
    assert_eq!((&lines[0]["code"], &lines[0]["user"]), (&json!("PermissionDenied"), &json!("reader")), "{lines:?}");
    for line in &lines[1..] {
        let keys = json!([{ "key": "k/", "range_end": "k0" }]);
        assert_eq!((&line["code"], &line["user"], &line["keys"]), (&json!("OK"), &json!("reader"), &keys));
    }
}
