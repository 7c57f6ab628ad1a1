//! Paths and methods that mean something else to somebody on the way, and answers that would say more than one thing.

use http::Method;
use keyport_tests::grpc::put;
use keyport_tests::http::Http;
use keyport_tests::raw::Raw;
use keyport_tests::sse::EventStream;

use super::{Siege, nothing};

/// The head and the body of the answer to exactly this.
async fn said(server: &keyport_tests::Server, first: &str) -> (u16, String) {
    let mut raw = Raw::connect(server.addr()).await;
    raw.send(format!("{first} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
    let answer = String::from_utf8_lossy(&raw.read_to_end().await).into_owned();
    (answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), answer)
}

#[tokio::test]
async fn a_path_is_nothing_but_a_name() {
    let siege = Siege::start();
    for (name, first, expected) in [
        ("out of the docs", "GET /docs/../../../etc/passwd", 307),
        ("out of the docs, spelt otherwise", "GET /docs/..%2f..%2f..%2fetc%2fpasswd", 404),
        ("out of the docs, spelt twice", "GET /docs/%252e%252e%252fetc%252fpasswd", 404),
        ("out of the docs by backslashes", "GET /docs/..\\..\\etc\\passwd", 404),
        ("a dot as a number", "GET /%2e%2e/version", 404),
        ("a slash as a number", "POST /v3/kv%2fput", 404),
        ("a slash at the end", "GET /version/", 404),
        ("a slash at the end of a call", "POST /v3/kv/put/", 404),
        ("capitals", "GET /VERSION", 404),
        ("a zero at the end", "GET /version%00", 404),
        ("a zero and another end", "GET /version%00.html", 404),
        ("a dot of two bytes", "GET /%c0%ae%c0%ae/version", 404),
        ("a slash of two bytes", "GET /docs%c0%af..", 404),
        ("no character at all", "GET /%ff%fe", 404),
        ("half a number", "GET /%2", 404),
        ("parameters of a path", "GET /version;a=b", 404),
        ("a fragment", "GET /version#a", 200),
        ("another server", "GET http://elsewhere.example/version", 400),
        ("the method by which it is called", "GET /v3/kv/put", 405),
        ("a method that changes nothing here", "DELETE /version", 405),
        ("a trace", "TRACE /version", 405),
    ] {
        siege
            .row(name, async |server| {
                let (status, answer) = said(server, first).await;
                let is_met = status == expected && !answer.contains("root:");
                siege.expect(is_met, || format!("{name}: {expected}, but {answer}"));
                nothing()
            })
            .await;
    }
    siege.end().await;
}

#[tokio::test]
async fn a_method_is_what_the_first_line_says() {
    let siege = Siege::start();
    siege
        .row("other methods in headers", async |server| {
            server.grpc().await.put("k", "v").await;
            for name in
                ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"]
            {
                let headers = [(name, "DELETE"), ("content-type", "application/json")];
                let body = r#"{"key":"aw==","value":"dg=="}"#;
                let answer = server.http().send(Method::POST, "/v3/kv/put", &headers, body).await;
                assert_eq!(answer.status, 200, "{name}: {}", answer.text());
                let answer = server.http().send(Method::GET, "/version", &[(name, "/v3/kv/deleterange")], "").await;
                assert_eq!(answer.status, 200, "{name}");
            }
            assert!(server.grpc().await.get("k").await.is_some());
            nothing()
        })
        .await;
    // What checks who may call looks at the method that was routed, whatever the path looks like.
    siege
        .row("gRPC by other paths", async |server| {
            let http = Http::h2c(server.addr());
            let headers = [("content-type", "application/grpc"), ("te", "trailers")];
            for path in [
                "//etcdserverpb.KV/Put",
                "/etcdserverpb.KV//Put",
                "/etcdserverpb.KV/Put/",
                "/etcdserverpb.kv/put",
                "/etcdserverpb.KV%2fPut",
            ] {
                let answer = http.send(Method::POST, path, &headers, b"\0\0\0\0\0".to_vec()).await;
                assert_eq!((answer.status.as_u16(), answer.header("grpc-status")), (200, "12"), "{path}");
            }
            nothing()
        })
        .await;
    siege.end().await;
}

#[tokio::test]
async fn an_answer_is_one_answer() {
    const SPLIT: &str = "k\r\nevent: forged\r\ndata: {}\r\n\r\nSet-Cookie: a=b";
    let siege = Siege::start();
    siege
        .row("line ends in a path that leads elsewhere", async |server| {
            let (status, answer) = said(server, "GET //a%0d%0aSet-Cookie:%20a=b").await;
            assert_eq!(status, 307, "{answer}");
            assert!(answer.to_lowercase().contains("location: /a%0d%0aset-cookie:%20a=b\r\n"), "{answer}");
            assert!(!answer.to_lowercase().contains("\nset-cookie"), "{answer}");
            nothing()
        })
        .await;
    siege
        .row("line ends in what an error repeats", async |server| {
            for path in [
                "/v3/watch?key=k&start=a%0d%0aSet-Cookie:%20a=b",
                "/v3/watch?key=k&a%0d%0aSet-Cookie:%20a=b=c",
                "/livez/a%0d%0aSet-Cookie:%20a=b",
                "/health?exclude=a%0d%0aSet-Cookie:%20a=b",
            ] {
                let (_, answer) = said(server, &format!("GET {path}")).await;
                assert!(!answer.to_lowercase().contains("\nset-cookie"), "{path}: {answer}");
            }
            nothing()
        })
        .await;
    siege
        .row("line ends in keys and values of events", async |server| {
            let mut c = server.grpc().await;
            c.put_of(put(SPLIT, SPLIT)).await;
            for path in ["/v3/watch?prefix=k&initial=true", "/v3/watch?prefix=k&initial=true&encoding=text"] {
                let http = server.http();
                let answer = http.get_stream(path, &[("accept", "text/event-stream")]).await;
                if answer.status() != 200 {
                    continue; // an option that is not there
                }
                let mut events = EventStream::over(answer.into_body(), "");
                loop {
                    let event = events.next().await.expect("the stream goes on");
                    assert_ne!(event.event, "forged", "{path}: {event:?}");
                    if event.event == "synced" {
                        break;
                    }
                }
            }
            nothing()
        })
        .await;
    siege.end().await;
}
