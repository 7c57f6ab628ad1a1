//! Keys as they change, over a WebSocket: each event of the stream is a message.

use http::Method;
use keyport_tests::http::b64;
use keyport_tests::raw::Raw;
use keyport_tests::websocket::{self, FIN, closed, frame, message, next, opcode, text};
use serde_json::{Value, json};

use super::Store;

impl Store {
    /// An open socket, and its first message.
    async fn socket(&self, path: &str) -> (Raw, Value) {
        let (mut raw, head) = websocket::open(self.server.addr(), path, "").await;
        assert!(head.starts_with("HTTP/1.1 101"), "{path}: {head}");
        let first = message(&mut raw).await;
        (raw, first)
    }

    /// The status of a request for a socket that is refused.
    async fn no_socket(&self, path: &str, more: &str) -> String {
        let (_, head) = websocket::open(self.server.addr(), path, more).await;
        head.split(' ').nth(1).unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_key_and_a_prefix_are_followed() {
    let store = Store::start();
    store.put("app/db", "one").await;
    let (mut key, opened) = store.socket("/v3/keys/app/db").await;
    assert_eq!(opened, json!({"id": "2", "event": "opened", "data": {"revision": "2"}}));
    let (mut prefix, opened) = store.socket("/v3beta/keys?prefix=app/&initial&prev_kv&watch").await;
    assert_eq!(opened["event"], "opened");
    let state = message(&mut prefix).await;
    assert_eq!((&state["event"], &state["data"]["key"]), (&json!("put"), &json!("app/db")));
    assert_eq!(message(&mut prefix).await["event"], "synced");
    let (mut base64, _) = store.socket("/v3/keys/?key_b64=YXBwL2Ri&since=1").await;

    store.put("app/db", "two").await;
    store.put("app/%FF", vec![0xfe]).await;
    store.put("elsewhere", "x").await;
    store.delete("app/db").await;
    let change = message(&mut key).await;
    assert_eq!(
        (&change["id"], &change["event"], &change["data"]["value"]),
        (&json!("3"), &json!("put"), &json!("two"))
    );
    let change = message(&mut key).await;
    assert_eq!((&change["id"], &change["event"]), (&json!("6"), &json!("delete")));
    let change = message(&mut prefix).await;
    assert_eq!(change["data"]["prev_kv"]["value"], "one");
    let change = message(&mut prefix).await;
    assert_eq!(
        (&change["data"]["key_b64"], &change["data"]["value_b64"]),
        (&json!(b64(b"app/\xff")), &json!(b64([0xfe])))
    );
    for value in ["one", "two"] {
        assert_eq!(message(&mut base64).await["data"]["value"], value);
    }

    // Cut off, and back behind what was seen.
    drop(key);
    let (mut again, _) = store.socket("/v3/keys/app/db?last_event_id=3").await;
    assert_eq!(message(&mut again).await["event"], "delete");
    // What it says is for nobody, and it may say goodbye.
    assert!(again.send(text("{}")).await);
    assert!(again.send(frame(FIN | opcode::PING, b"there?")).await);
    loop {
        let (kind, payload) = next(&mut again).await.expect("the answer to a ping");
        if kind == opcode::PONG {
            assert_eq!(payload, b"there?");
            break;
        }
    }
    assert!(again.send(frame(FIN | opcode::CLOSE, &1000u16.to_be_bytes())).await);
    // Then the connection ends, with a goodbye or without.
    assert!(matches!(closed(&mut again).await, None | Some(1000)));
}

#[tokio::test]
async fn what_is_wrong_is_said_before_there_is_a_socket() {
    let store = Store::start();
    for (path, more, status) in [
        ("/v3/keys/", "", "400"),
        ("/v3/keys/k?since=x", "", "400"),
        ("/v3/keys/k?sinze=1", "", "400"),
        ("/v3/keys/k?initial&since=1", "", "400"),
        ("/v3/keys/k", "Origin: http://elsewhere.example\r\n", "403"),
        ("/v3/keys/k", "Authorization: Bearer nobody's\r\n", "101"),
        ("/v3/leases", "", "405"),
        ("/v3/history/k", "", "405"),
    ] {
        assert_eq!(store.no_socket(path, more).await, status, "{path} {more}");
    }
    let socket = |version: &str, key: &str| {
        let headers = [
            ("connection", "upgrade".to_owned()),
            ("upgrade", "websocket".to_owned()),
            ("sec-websocket-version", version.to_owned()),
            ("sec-websocket-key", key.to_owned()),
        ];
        let http = store.server.http();
        async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
            http.send(Method::GET, "/v3/keys/k", &headers, "").await
        }
    };
    let other = socket("8", "dGhlIHNhbXBsZSBub25jZQ==").await;
    assert_eq!((other.status.as_u16(), other.header("sec-websocket-version")), (426, "13"));
    assert_eq!(other.header("content-type"), "application/problem+json");
    let malformed = socket("13", "short").await;
    assert_eq!((malformed.status.as_u16(), malformed.header("content-type")), (400, "application/problem+json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_a_word() {
    let mut store = Store::start();
    for value in ["one", "two", "three"] {
        store.put("k", value).await;
    }
    store.http.call("/v3/kv/compaction", json!({"revision": "3"})).await;
    let (mut raw, last) = store.socket("/v3/keys/k?since=1").await;
    assert_eq!(last, json!({"id": "3", "event": "compacted", "data": {"oldest_revision": "3"}}));
    assert_eq!(closed(&mut raw).await, Some(1000));
    let (mut raw, _) =
        store.socket(last["id"].as_str().map(|id| format!("/v3/keys/k?last_event_id={id}")).unwrap().as_str()).await;
    assert_eq!(message(&mut raw).await["data"]["value"], "three");

    let (mut held, _) = store.socket("/v3/keys/k?heartbeat=1").await;
    let (kind, _) = next(&mut held).await.unwrap();
    assert_eq!(kind, opcode::PING, "a sign of life");
    assert!(store.server.stop().success());
    let last = message(&mut held).await;
    let wanted = json!("etcdserver: server stopped");
    let last = if last["event"] == "bookmark" { message(&mut held).await } else { last };
    assert_eq!((&last["event"], &last["data"]["detail"]), (&json!("failed"), &wanted), "{last}");
    assert_eq!(closed(&mut held).await, Some(1001));
}

/// A reader that does not read costs no more than what is bounded, and finds all of it when it reads again.
#[tokio::test]
async fn who_does_not_read_is_waited_for() {
    const KEYS: usize = 2000;
    let store = Store::start();
    let (mut slow, _) = store.socket("/v3/keys?prefix=k/").await;
    let value = "x".repeat(4096);
    let mut grpc = store.server.grpc().await;
    for n in 0..KEYS {
        grpc.put(&format!("k/{n}"), &value).await;
    }
    for n in 0..KEYS {
        let change = loop {
            let change = message(&mut slow).await;
            if change["event"] != "bookmark" {
                break change;
            }
        };
        assert_eq!(change["data"]["key"], format!("k/{n}"));
    }
}
