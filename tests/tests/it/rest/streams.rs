//! Keys as they change: as events, as lines, or by a request that waits.

use http::Method;
use http_body_util::BodyExt as _;
use keyport_tests::http::Answer;
use keyport_tests::sse::{EventStream, SseEvent};
use keyport_tests::wait::{eventually, within};
use serde_json::{Value, json};

use super::{Store, problem};

impl Store {
    /// Waits until so many watch.
    async fn watchers(&self, count: usize) {
        let wanted = format!("etcd_debugging_mvcc_watcher_total {count}");
        eventually(&wanted, async || {
            let metrics = self.http.get("/metrics").await.text();
            metrics.lines().any(|line| line == wanted).then_some(())
        })
        .await;
    }
}

/// The next event: its id, its name, its data.
async fn next(stream: &mut EventStream) -> (String, String, Value) {
    let SseEvent { id, event, data } = stream.next().await.expect("the stream goes on");
    (id, event, serde_json::from_str(&data).unwrap())
}

#[tokio::test]
async fn a_key_and_a_prefix_are_followed() {
    let store = Store::start();
    store.put("app/db", "one").await;
    let open = async |path: &str, last_id: &str| EventStream::open(&store.http, path, last_id).await;
    let mut key = open("/v3/keys/app/db", "").await;
    let mut prefix = open("/v3/keys?prefix=app/&initial&prev_kv", "").await;
    let mut base64 = open("/v3/keys/?key_b64=YXBwL2Ri&watch&since=1", "").await;
    assert_eq!(next(&mut key).await.1, "opened");
    assert_eq!(next(&mut prefix).await.1, "opened");
    let (_, name, data) = next(&mut prefix).await;
    assert_eq!((&*name, &data["key"]), ("put", &json!("app/db")));
    assert_eq!(next(&mut prefix).await.1, "synced");
    store.put("app/db", "two").await;
    store.put("app/other", "x").await;
    store.put("elsewhere", "x").await;
    let (id, name, data) = next(&mut key).await;
    assert_eq!((&*id, &*name, &data["value"]), ("3", "put", &json!("two")));
    let (_, _, data) = next(&mut prefix).await;
    assert_eq!((&data["value"], &data["prev_kv"]["value"]), (&json!("two"), &json!("one")));
    assert_eq!(next(&mut prefix).await.2["key"], "app/other");
    for expected in [json!(null), json!("one"), json!("two")] {
        assert_eq!(next(&mut base64).await.2["value"], expected);
    }
    // Cut off, and back.
    drop(key);
    store.put("app/db", "three").await;
    let mut again = open("/v3/keys/app/db", &id).await;
    assert_eq!(next(&mut again).await.1, "opened");
    assert_eq!(next(&mut again).await.2["value"], "three");
    store.delete("app/db").await;
    assert_eq!(next(&mut again).await.1, "delete");
    // Without a header, by a name in the query: lines to those who take lines.
    let lines = store.http.get_stream("/v3/keys?watch&since=1", &[("accept", "application/x-ndjson")]).await;
    let mut frames = lines.into_body();
    let mut text = String::new();
    while text.lines().count() < 6 {
        let frame = within("more lines", frames.frame()).await.unwrap().unwrap();
        text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
    }
    let names = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone());
    assert_eq!(names.take(6).collect::<Vec<_>>(), ["opened", "put", "put", "put", "put", "put"]);
    for path in ["/v3/keys/?watch", "/v3/keys?watch&sepa=x", "/v3/keys/a?watch&rev=1"] {
        assert_eq!(problem(&store.http.get(path).await).0, 400, "{path}");
    }
}

#[tokio::test]
async fn a_request_waits_for_a_change() {
    let store = Store::start();
    store.put("k", "one").await;
    let wait = |query: &str, headers: &[(&'static str, &str)]| {
        let (http, path) = (store.server.http(), format!("/v3/keys/k?{query}"));
        let headers: Vec<_> = headers.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        tokio::spawn(async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
            http.send(Method::GET, &path, &headers, "").await
        })
    };
    let told = |answer: Answer| (answer.status.as_u16(), answer.text(), answer.header("etag").to_owned());
    // Somebody else has been quicker: it is told at once.
    let known = wait("wait=600", &[("if-none-match", "\"1\"")]).await.unwrap();
    assert_eq!(told(known), (200, "one".into(), "\"2\"".into()));
    let waiting = [wait("wait=600", &[("if-none-match", "\"2\"")]), wait("wait=60s", &[])];
    // They wait, or will find it changed: both is told.
    store.http.call("/v3/kv/put", json!({"key": "b3RoZXI=", "value": "eA=="})).await;
    store.watchers(2).await;
    store.put("k", "two").await;
    for waiting in waiting {
        assert_eq!(told(waiting.await.unwrap()), (200, "two".into(), "\"4\"".into()));
    }
    assert_eq!(wait("wait=1", &[("if-none-match", "\"4\"")]).await.unwrap().status, 304, "nothing has happened");
    assert_eq!(wait("wait=600", &[("if-match", "\"2\"")]).await.unwrap().status, 412, "there is nothing to wait for");
    assert_eq!(told(wait("wait=1s", &[]).await.unwrap()), (200, "two".into(), "\"4\"".into()));
    store.delete("k").await;
    assert_eq!(problem(&wait("wait=1", &[]).await.unwrap()).0, 404);
    assert_eq!(problem(&wait("wait=600", &[("if-none-match", "\"4\"")]).await.unwrap()).0, 404, "that is news, too");
    for (query, status) in [("wait=0", 400), ("wait=601", 400), ("wait=x", 400), ("wait=5&rev=2", 400)] {
        assert_eq!(problem(&wait(query, &[]).await.unwrap()).0, status, "{query}");
    }
}

/// What waits does not hold up a server that stops, and is told so.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_waits_for_nobody() {
    let mut store = Store::start();
    let http = store.server.http();
    let waiting = tokio::spawn(async move { http.get("/v3/keys/k?wait=600").await });
    store.watchers(1).await;
    assert!(store.server.stop().success());
    let answer = waiting.await.unwrap();
    assert_eq!((problem(&answer).0, answer.header("retry-after")), (503, "1"));
}

/// Who is gone is not waited for.
#[tokio::test]
async fn what_waits_ends_with_who_waits() {
    let store = Store::start();
    for http in [store.server.http(), store.server.http2()] {
        let waiting = tokio::spawn(async move { http.get("/v3/keys/k?wait=600").await });
        store.watchers(1).await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        store.watchers(0).await;
    }
}
