//! What pages in a browser have to get by with: events without names for `onmessage`, refusals that say what else there is.

use http::Method;
use http_body_util::{BodyExt as _, Full};
use keyport_tests::sse::{EventStream, SseEvent};
use serde_json::{Value, json};

use super::{Store, problem};

impl Store {
    async fn unnamed(&self, method: Method, path: &str, body: &'static str) -> EventStream {
        let headers = [("accept", "text/event-stream")];
        let answer = self.http.try_open(method, path, &headers, Full::from(body).boxed()).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        EventStream::over(answer.into_body(), "")
    }
}

/// What `onmessage` hears: the id, what the event is, and its data.
async fn heard(stream: &mut EventStream) -> (String, String, Value) {
    let SseEvent { id, event, data } = stream.next().await.expect("the stream goes on");
    assert_eq!(event, "message", "it has no name");
    let mut data: Value = serde_json::from_str(&data).unwrap();
    (id, data["event"].as_str().unwrap().to_owned(), data["data"].take())
}

#[tokio::test]
async fn events_without_names_say_what_they_are() {
    let store = Store::start();
    store.put("app/db", "one").await;
    for path in ["/v3/watch?prefix=app/&initial&unnamed", "/v3/keys?prefix=app/&initial&unnamed=true"] {
        let mut stream = store.unnamed(Method::GET, path, "").await;
        assert_eq!(heard(&mut stream).await.1, "opened");
        let (_, name, data) = heard(&mut stream).await;
        assert_eq!((&*name, &data["key"], &data["value"]), ("put", &json!("app/db"), &json!("one")), "{path}");
        assert_eq!(heard(&mut stream).await.1, "synced");
    }
    let mut key = store.unnamed(Method::GET, "/v3/keys/app/db?unnamed", "").await;
    heard(&mut key).await;
    store.put("app/db", "two").await;
    let (id, name, data) = heard(&mut key).await;
    assert_eq!((&*id, &*name, &data["value"]), ("3", "put", &json!("two")));
    // Without the parameter they have names, and lines are lines.
    let mut named = EventStream::open(&store.http, "/v3/keys/app/db?unnamed=false&since=2", "").await;
    assert_eq!((named.next().await.unwrap().event, named.next().await.unwrap().event), ("opened".into(), "put".into()));

    let held: [(Method, &str, &str); 4] = [
        (Method::PUT, "/v3/keys/here?hold&unnamed", "held"),
        (Method::POST, "/v3/leases?hold&unnamed", "held"),
        (Method::POST, "/v3/locks/l?hold&unnamed", "held"),
        (Method::POST, "/v3/elections/e?hold&unnamed", "held"),
    ];
    let mut open = Vec::new();
    for (method, path, first) in held {
        let body = if path.starts_with("/v3/leases") { "" } else { "x" };
        let mut stream = store.unnamed(method, path, body).await;
        assert_eq!(heard(&mut stream).await.1, first, "{path}");
        open.push(stream);
    }
    let mut leader = store.unnamed(Method::GET, "/v3/elections/e?watch&unnamed", "").await;
    let (_, name, data) = heard(&mut leader).await;
    assert_eq!((&*name, &data["value"]), ("leader", &json!("x")));

    for (method, path) in [
        (Method::GET, "/v3/watch?key=k&unnamed=perhaps"),
        (Method::GET, "/v3/keys/k?watch&unnamed=perhaps"),
        (Method::PUT, "/v3/keys/k?hold&unnamed=perhaps"),
        (Method::POST, "/v3/leases?hold&unnamed=perhaps"),
        (Method::POST, "/v3/locks/m?hold&unnamed=perhaps"),
    ] {
        let refused = store.http.send(method, path, &[], r#"{"ttl":5}"#).await;
        assert_eq!(problem(&refused), (400, "unnamed=perhaps is not true or false".into()), "{path}");
    }
}

/// What is held, and who leads, is told when the server that tells it stops.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so_to_those_it_holds_something_for() {
    let mut store = Store::start();
    let mut streams = Vec::new();
    for (method, path) in [
        (Method::PUT, "/v3/keys/here?hold"),
        (Method::POST, "/v3/locks/l?hold&unnamed"),
        (Method::POST, "/v3/elections/e?hold"),
        (Method::GET, "/v3/elections/e?watch"),
    ] {
        let mut stream = store.unnamed(method, path, "x").await;
        stream.next().await.unwrap();
        streams.push((path, stream));
    }
    assert!(store.server.stop().success());
    for (path, mut stream) in streams {
        let last = stream.next().await.unwrap_or_else(|| panic!("{path}: nothing is said"));
        let data: Value = serde_json::from_str(&last.data).unwrap();
        let (name, data) = match &*last.event {
            "message" => (data["event"].as_str().unwrap(), &data["data"]),
            name => (name, &data),
        };
        assert_eq!((name, &data["detail"]), ("failed", &json!("etcdserver: server stopped")), "{path}");
        assert_eq!(stream.next().await, None, "{path}");
    }
}

/// They say what is spoken, in words that their own clients show.
#[tokio::test]
async fn relatives_of_grpc_are_refused_in_words() {
    let store = Store::start();
    let ask = async |form: &str, body: &'static [u8]| {
        store.http.send(Method::POST, "/etcdserverpb.KV/Range", &[("content-type", form)], body).await
    };
    for form in ["application/grpc-web+json", "application/grpc-web-text+json", "application/grpc-webx"] {
        let refused = ask(form, b"\0\0\0\0\x02{}").await;
        assert_eq!((refused.status.as_u16(), refused.header("grpc-status")), (415, "3"), "{form}");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("application/grpc-web+proto"), "{detail}");
        assert!(refused.header("grpc-message").contains("application/grpc-web"), "{:?}", refused.headers);
    }
    for form in ["application/json", "application/proto", "application/connect+json", "text/plain"] {
        let refused = ask(form, b"{}").await;
        let body = refused.json();
        assert_eq!((refused.status.as_u16(), refused.header("content-type")), (415, "application/json"), "{form}");
        assert_eq!(body["code"], "unimplemented");
        assert!(body["message"].as_str().unwrap().contains("gRPC-Web"), "{body}");
    }
    assert_eq!(store.http.get("/etcdserverpb.KV/Range").await.status, 404);
    assert_eq!(store.http.post("/etcdserverpb.KV/Rang", "{}").await.status, 404);
}

#[tokio::test]
async fn pages_may_read_where_they_are() {
    let store = Store::with(&["--cors=http://page.example"]);
    let answer = store.http.get_stream("/v3/watch?key=k", &[("origin", "http://page.example")]).await;
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap().to_lowercase();
    for name in
        ["last-event-id", "etag", "content-disposition", "repr-digest", "keyport-revision", "location", "x-request-id"]
    {
        assert!(exposed.split(',').any(|one| one.trim() == name), "{name}: {exposed}");
    }
    assert!(answer.headers().contains_key("last-event-id"));
}
