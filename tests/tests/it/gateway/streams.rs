//! Streaming calls over plain HTTP.

use keyport_tests::Server;
use keyport_tests::http::{Lines, b64};
use keyport_tests::raw::Raw;
use serde_json::json;

/// etcd answers an HTTP/1.1 request only once it has all of it.
fn finish_for_etcd(server: &Server, stream: &mut Lines) {
    if server.is_etcd() {
        stream.end();
    }
}

fn create(key: &str, mut request: serde_json::Value) -> String {
    request["key"] = b64(key).into();
    format!("{}\n", json!({ "create_request": request }))
}

#[tokio::test]
async fn a_watch() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    let mut watch =
        server.http().stream("/v3/watch", create("k", json!({ "start_revision": "2", "prev_kv": true }))).await;
    finish_for_etcd(&server, &mut watch);
    let created = watch.json().await;
    assert_eq!(
        (&created["result"]["created"], created["result"].get("watch_id")),
        (&true.into(), None),
        "zero is left out"
    );
    let message = watch.json().await;
    let event = &message["result"]["events"][0];
    assert_eq!(
        event,
        &json!({ "kv": { "key": b64("k"), "value": b64("v"), "create_revision": "2", "mod_revision": "2", "version": "1" } })
    );
    c.delete("k").await;
    let event = &watch.json().await["result"]["events"][0];
    assert_eq!(event["type"], "DELETE");
    assert_eq!(event["kv"], json!({ "key": b64("k"), "mod_revision": "3" }));
    assert_eq!(event["prev_kv"]["value"], b64("v"));
    assert_eq!(watch.head().await.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn several_requests_on_one_stream() {
    let server = Server::start();
    if server.is_etcd() {
        return; // not over HTTP/1.1
    }
    let mut c = server.grpc().await;
    let mut watch = server.http().stream("/v3/watch", create("a", json!({ "watch_id": 7 }))).await;
    assert_eq!(watch.json().await["result"]["watch_id"], "7");
    watch.send(create("b", json!({}))).await;
    assert_eq!(watch.json().await["result"]["created"], true);
    watch.send("{\"cancel_request\":{\"watch_id\":\"7\"}}\n{\"progress_request\":{}}").await;
    let canceled = watch.json().await;
    assert_eq!((&canceled["result"]["canceled"], &canceled["result"]["watch_id"]), (&true.into(), &"7".into()));
    assert_eq!(watch.json().await["result"]["watch_id"], "-1", "progress");
    watch.end();
    c.put("a", "1").await;
    c.put("b", "2").await;
    assert_eq!(
        watch.json().await["result"]["events"][0]["kv"]["key"],
        b64("b"),
        "the end of the request is not the end"
    );
}

/// As `watch::bursts`.
#[tokio::test]
async fn a_create_after_many_requests_without_answers() {
    let server = Server::start();
    if server.older_than("3.6") {
        return; // not several over HTTP/1.1
    }
    let mut c = server.grpc().await;
    for count in [32, 33, 1000] {
        let key = format!("k{count}");
        let unanswered = ["{\"progress_request\":{}}\n", "{\"cancel_request\":{\"watch_id\":\"4711\"}}\n"];
        let burst = unanswered.into_iter().cycle().take(count).collect::<String>() + &create(&key, json!({}));
        let mut watch = server.http().stream("/v3/watch", burst).await;
        finish_for_etcd(&server, &mut watch);
        while watch.json().await["result"]["created"] != true {}
        c.put(&key, "v").await;
        assert_eq!(watch.json().await["result"]["events"][0]["kv"]["key"], b64(&key));
    }
}

#[tokio::test]
async fn keep_alive() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let id = c.grant(100).await;
    let http = server.http();
    let mut stream = http.stream("/v3/lease/keepalive", format!("{{\"ID\":{id}}}")).await;
    finish_for_etcd(&server, &mut stream);
    let answer = stream.json().await;
    assert_eq!((&answer["result"]["ID"], &answer["result"]["TTL"]), (&id.to_string().into(), &"100".into()));
    if server.is_etcd() {
        return;
    }
    stream.send("{\"ID\":7}").await;
    let answer = stream.json().await;
    assert_eq!((&answer["result"]["ID"], answer["result"].get("TTL")), (&"7".into(), None));
    stream.end();
    assert_eq!(stream.line().await, None, "ends with the request");
}

#[tokio::test]
async fn a_compacted_start() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for i in 0..5 {
        c.put("k", &i.to_string()).await;
    }
    c.compact(4).await;
    let mut watch = server.http().stream("/v3/watch", create("k", json!({ "start_revision": 2 }))).await;
    finish_for_etcd(&server, &mut watch);
    assert_eq!(watch.json().await["result"]["created"], true);
    let end = watch.json().await;
    assert_eq!((&end["result"]["canceled"], &end["result"]["compact_revision"]), (&true.into(), &"4".into()));
    assert_eq!(end["result"]["header"].get("revision"), None);
}

/// One chunk is one message with its end of line, whatever its size: several clients rely on it.
#[tokio::test]
async fn one_chunk_a_message() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut raw = Raw::connect(server.addr()).await;
    let body = create("k", json!({}));
    let request = format!(
        "POST /v3/watch HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, deflate\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert!(raw.send(request).await);
    let head = String::from_utf8(raw.read_until(b"\r\n\r\n").await.unwrap()).unwrap().to_lowercase();
    assert!(head.contains("transfer-encoding: chunked") && !head.contains("content-encoding"), "{head}");
    assert!(String::from_utf8_lossy(&raw.chunk().await.unwrap()).contains("created"));
    for size in [1, 1000, 3000, 300_000] {
        c.put("k", &"x".repeat(size)).await;
        let chunk = raw.chunk().await.unwrap();
        if server.is_etcd() && size > 1000 {
            return; // sends the end of line on its own
        }
        assert_eq!(chunk.last(), Some(&b'\n'), "{size}");
        let message: serde_json::Value = serde_json::from_slice(&chunk).unwrap();
        assert_eq!(message["result"]["events"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn garbage_on_a_stream() {
    let server = Server::start();
    if server.is_etcd() {
        return; // hangs, or answers 500
    }
    let mut watch = server.http().stream("/v3/watch", "nonsense").await;
    assert_eq!(watch.head().await.status(), 400);
    let mut watch = server.http().stream("/v3/watch", "{}").await;
    assert_eq!(watch.head().await.status(), 400);
    // After the first message, the stream ends with an error object or none.
    let mut c = server.grpc().await;
    let mut watch = server.http().stream("/v3/watch", create("k", json!({}))).await;
    assert_eq!(watch.json().await["result"]["created"], true);
    watch.send("nonsense").await;
    while let Some(line) = watch.line().await {
        assert!(line.contains("\"error\""), "{line}");
    }
    c.put("k", "v").await;
}

#[tokio::test]
async fn a_snapshot() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", &"x".repeat(100_000)).await;
    let mut stream = server.http().stream("/v3/maintenance/snapshot", "{}").await;
    stream.end();
    let (mut bytes, mut last) = (0, 0);
    while let Some(line) = stream.line().await {
        let part: serde_json::Value = serde_json::from_str(&line).unwrap();
        last = keyport_tests::http::unb64(&part["result"]["blob"]).len();
        bytes += last;
    }
    assert!(bytes > 100_000 && last == 32, "{bytes} {last}");
}

#[tokio::test]
async fn observing_an_election() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    let http = server.http();
    let won = http.call("/v3/election/campaign", json!({ "name": b64("e"), "lease": lease, "value": b64("me") })).await;
    assert_eq!(won["leader"]["lease"], lease.to_string());
    let mut stream = http.stream("/v3/election/observe", json!({ "name": b64("e") }).to_string()).await;
    stream.end();
    assert_eq!(stream.json().await["result"]["kv"]["value"], b64("me"));
}
