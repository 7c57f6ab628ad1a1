//! nginx in front, with what it does by itself: `proxy_pass`, and nothing else said. What does not work then is said in the book
//! (docs/http.md, "Behind nginx"), and is what is seen here.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt as _, Full};
use keyport_api::etcdserverpb::RangeRequest;
use keyport_tests::http::Http;
use keyport_tests::program::Program;
use keyport_tests::server::free_port;
use keyport_tests::sse::EventStream;
use keyport_tests::wait::eventually;
use keyport_tests::websocket;
use serde_json::Value;
use tempfile::TempDir;

use super::held::Held;
use super::{Store, problem};

const NGINX: &str = "/usr/sbin/nginx";

/// A server, and an nginx in front of it.
struct Front {
    store: Store,
    /// `location / { proxy_pass http://ADDRESS; }`
    plain: Http,
    /// `location /kp/ { proxy_pass http://ADDRESS/; }`
    below: Http,
    /// Where the first of them is.
    addr: SocketAddr,
    /// As for WebSockets, and for pages.
    told: SocketAddr,
    _nginx: Program,
    _dir: TempDir,
}

impl Front {
    /// None where there is no nginx.
    async fn start(args: &[&str]) -> Option<Front> {
        if !Path::new(NGINX).exists() {
            eprintln!("skipped: there is no {NGINX}");
            return None;
        }
        let store = Store::with(args);
        let dir = tempfile::tempdir().unwrap();
        let [plain, below, told] = [(); 3].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let addr = store.server.addr();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("  {kind}_temp_path {}/{kind};\n", dir.path().display()))
            .concat();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {pid};\nerror_log stderr;\nevents {{}}\nhttp {{\n  access_log off;\n{temporary}  \
             server {{ listen {plain}; location / {{ proxy_pass http://{addr}; }} }}\n  \
             server {{ listen {below}; location /kp/ {{ proxy_pass http://{addr}/; }} }}\n  \
             server {{ listen {told}; location / {{ proxy_pass http://{addr}; proxy_http_version 1.1; \
             proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }} }}\n}}\n",
            pid = dir.path().join("pid").display(),
        );
        let file = dir.path().join("nginx.conf");
        fs::write(&file, config).unwrap();
        let nginx = Program::other(Path::new(NGINX), ["-c", file.to_str().unwrap(), "-e", "stderr"]);
        let [http, http_below] = [plain, below].map(Http::new);
        let front = Front { plain: http, below: http_below, addr: plain, told, store, _nginx: nginx, _dir: dir };
        eventually("nginx passes on", async || {
            let asked = front.plain.try_open(Method::GET, "/readyz", &[], Full::default().boxed());
            asked.await.ok().filter(|answer| answer.status() == 200).map(drop)
        })
        .await;
        Some(front)
    }

    /// Whether a key that is put under this name by way of a front is the one that is meant.
    async fn keeps(&self, front: &Http, prefix: &str, name: &str, key: &[u8]) -> bool {
        let answer = front.send(Method::PUT, &format!("{prefix}/v3/keys/{name}"), &[], name.to_owned()).await;
        let mut grpc = self.store.server.grpc().await;
        let found = grpc.range(RangeRequest { key: Bytes::copy_from_slice(key), ..RangeRequest::default() }).await.kvs;
        let kept = found.first().is_some_and(|kv| kv.value == name.as_bytes());
        if kept {
            assert_eq!(front.get(&format!("{prefix}/v3/keys/{name}")).await.text(), name);
            assert_eq!(front.send(Method::DELETE, &format!("{prefix}/v3/keys/{name}"), &[], "").await.status, 204);
        }
        kept && answer.status.is_success()
    }
}

#[tokio::test]
async fn keys_are_the_same_behind_it() {
    let Some(front) = Front::start(&[]).await else { return };
    // Name, key, and whether it is kept where nginx writes paths anew.
    let names: [(&str, &[u8], bool); 12] = [
        ("app/db", b"app/db", true),
        ("app%2Fdb", b"app/db", true),
        ("a%20b%3Fc%23d%25e", b"a b?c#d%e", true),
        ("%C3%BC/%FF%01", b"\xc3\xbc/\xff\x01", true),
        ("a+b;c=d,e", b"a+b;c=d,e", true),
        ("a%2Bb%26c", b"a+b&c", true),
        ("end/", b"end/", true),
        ("%7B%22x%22%3A%5B1%5D%7D", b"{\"x\":[1]}", true),
        ("a//b", b"a//b", false),
        ("a%2F%2Fb", b"a//b", false),
        ("a/%2E%2E/b", b"a/../b", false),
        ("%2Froot", b"/root", false),
    ];
    for (name, key, anew) in names {
        assert!(front.keeps(&front.plain, "", name, key).await, "{name}");
        assert_eq!(front.keeps(&front.below, "/kp", name, key).await, anew, "{name}");
    }
    // Nor does nginx let zeros through, in either way: they come in base64.
    let zero = front.plain.send(Method::PUT, "/v3/keys/a%00b", &[], "x").await;
    assert_eq!((zero.status.as_u16(), zero.header("content-type")), (400, "text/html"));
    assert_eq!(front.plain.send(Method::PUT, "/v3/keys/?key_b64=YQBi", &[], "x").await.status, 201);
    assert_eq!(front.plain.get("/v3/keys/?key_b64=YQBi").await.text(), "x");
}

#[tokio::test]
async fn conditions_and_problems_come_through() {
    let Some(front) = Front::start(&[]).await else { return };
    let http = &front.plain;
    let put = http.send(Method::PUT, "/v3/keys/k?ttl=600", &[("if-none-match", "*")], "one").await;
    assert_eq!((put.status.as_u16(), put.header("etag")), (201, "\"2\""));
    let again = http.send(Method::PUT, "/v3/keys/k", &[("if-none-match", "*")], "two").await;
    assert_eq!(problem(&again).0, 412);
    assert_eq!(again.header("etag"), "\"2\"");
    let same = http.send(Method::GET, "/v3/keys/k", &[("if-none-match", "\"2\"")], "").await;
    assert_eq!(same.status, 304);
    let head = http.send(Method::HEAD, "/v3/keys/k", &[], "").await;
    assert_eq!((head.header("content-length"), head.header("keyport-version")), ("3", "1"));
    let patched = http.send(Method::PATCH, "/v3/keys/n?increment=2", &[], "").await;
    assert_eq!(patched.status, 201, "{}", patched.text());
    let added = http.send(Method::POST, "/v3/keys/jobs/", &[("idempotency-key", "a")], "x").await;
    assert_eq!(added.status, 201);
    let part = http.send(Method::GET, "/v3/keys/k", &[("range", "bytes=1-")], "").await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "ne".into()));
    assert_eq!(problem(&http.get("/v3/keys/none").await).0, 404);
    let transaction = r#"{"if":[{"key":"k","value":"one"}],"then":[{"put":{"key":"k","value":"two"}}]}"#;
    assert_eq!(http.post("/v3/transactions", transaction).await.json()["succeeded"], true);

    // Nobody says a megabyte, and that is what nginx lets through.
    let large = "x".repeat(1 << 20);
    assert_eq!(http.send(Method::PUT, "/v3/keys/large", &[], large.clone()).await.status, 201);
    assert_eq!(http.get("/v3/keys/large").await.text(), large);
    let larger = http.send(Method::PUT, "/v3/keys/large", &[], format!("{large}x")).await;
    assert_eq!((larger.status.as_u16(), larger.header("content-type")), (413, "text/html"));
}

#[tokio::test]
async fn streams_come_as_they_are_made() {
    let Some(front) = Front::start(&[]).await else { return };
    let http = &front.plain;
    front.store.put("app/a", "one").await;
    let mut events = EventStream::open(http, "/v3/keys?prefix=app/&initial&heartbeat=1", "").await;
    for name in ["opened", "put", "synced"] {
        assert_eq!(events.next().await.unwrap().event, name);
    }
    events.comment().await;
    front.store.put("app/b", "two").await;
    let event = loop {
        let event = events.next().await.unwrap();
        if event.event != "bookmark" {
            break event;
        }
    };
    let data: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!((&*event.event, &data["key"]), ("put", &"app/b".into()));
    drop(events);
    let mut again = EventStream::open(http, "/v3/keys?prefix=app/", "2").await;
    assert_eq!((again.next().await.unwrap().event, again.next().await.unwrap().id), ("opened".into(), "3".into()));

    // A request that waits.
    let waiting = Http::new(front.addr);
    let waiting = tokio::spawn(async move {
        waiting.send(Method::GET, "/v3/keys/app/a?wait=50", &[("if-none-match", "\"2\"")], "").await
    });
    front.store.put("app/a", "three").await;
    assert_eq!(waiting.await.unwrap().text(), "three");

    // What is held goes when who holds it does.
    let mut held = Held::open(http, Method::PUT, "keys/here?hold&ttl=600", "me").await;
    assert_eq!(held.next().await.unwrap().0, "held");
    assert_eq!(front.store.get("here").await.text(), "me");
    drop(held);
    eventually("it is let go", async || (front.store.get("here").await.status == 404).then_some(())).await;
}

/// What has to be said to nginx, as the book says it.
#[tokio::test]
async fn sockets_and_pages_need_three_lines() {
    let Some(front) = Front::start(&[]).await else { return };
    let (_, head) = websocket::open(front.addr, "/v3/keys/k", "").await;
    assert!(!head.starts_with("HTTP/1.1 101"), "{head}");
    let own = format!("http://{}", front.told);
    let (mut raw, head) = websocket::open(front.told, "/v3/keys/k", &format!("Origin: {own}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert_eq!(websocket::message(&mut raw).await["event"], "opened");
    front.store.put("k", "v").await;
    assert_eq!(websocket::message(&mut raw).await["data"]["value"], "v");
    // Without its name the server takes its own pages for somebody else's.
    let page = format!("http://{}", front.addr);
    let refused = front.plain.send(Method::PUT, "/v3/keys/k", &[("origin", &page)], "x").await;
    assert_eq!(problem(&refused).0, 403);
    let through = Http::new(front.told);
    assert_eq!(through.send(Method::PUT, "/v3/keys/k", &[("origin", &own)], "x").await.status, 200);
}
