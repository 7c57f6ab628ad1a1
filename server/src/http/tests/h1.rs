use super::*;

#[tokio::test]
async fn answers_and_keeps_the_connection() {
    let server = start(Setup::default());
    let answer = server.ask("GET", "/hello", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    let both = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = server.raw(both).await;
    assert!(answer.body.starts_with("helloHTTP/1.1 404 Not Found\r\n"), "{answer:?}");
    assert!(answer.body.ends_with("404 page not found\n"));
    assert_eq!(server.raw("nonsense\r\n\r\n").await.status, 400);
    let huge = format!("GET /hello HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    assert_eq!(server.raw(&huge).await.status, 431);
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let server = start(Setup::default());
    let both = |method: &str, path: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
    };
    let answer = server.raw(&both("POST", "/v3/kv/range")).await;
    assert_eq!((answer.status, answer.header("content-type")), (500, Some("application/json")));
    assert!(
        answer.body.starts_with(r#"{"error":"internal error","code":13,"message":"internal error"}HTTP/1.1 200 OK"#)
    );
    let answer = server.raw(&both("GET", "/panic")).await;
    assert_eq!((answer.status, answer.header("content-type")), (500, Some("application/problem+json")));
    assert_eq!(
        (answer.header("access-control-allow-origin"), answer.header("x-request-id").is_some()),
        (Some("*"), true)
    );
    assert!(
        answer.body.contains(r#""detail":"internal error","grpc_code":13,"instance":"urn:keyport:request:"#)
            && answer.body.contains("}\nHTTP/1.1 200 OK"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn request_ids() {
    let server = start(Setup::default());
    let own = server.ask("GET", "/hello", "X-Request-Id: abc").await;
    assert_eq!(own.header("x-request-id"), Some("abc"));
    assert_eq!(server.ask("GET", "/hello", "").await.header("x-request-id"), None);
    let (a, b) = (server.ask("GET", "/nope", "").await, server.ask("GET", "/nope", "").await);
    assert_eq!(a.header("x-request-id").map(str::len), Some(16));
    assert_ne!(a.header("x-request-id"), b.header("x-request-id"));
    let long = format!("X-Request-Id: {}", "x".repeat(129));
    assert_eq!(server.ask("GET", "/hello", &long).await.header("x-request-id"), None);
}

#[tokio::test]
async fn cors_for_all() {
    let server = start(Setup::default());
    assert_eq!(server.ask("GET", "/hello", "").await.header("access-control-allow-origin"), Some("*"));
    let answer = server.ask("GET", "/nope", "Origin: http://page").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (404, Some("*")));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("grpc-status"));
    assert_eq!(answer.header("vary"), None);

    let preflight = server
        .ask(
            "OPTIONS",
            "/anything",
            "Origin: http://page\nAccess-Control-Request-Method: PUT\nAccess-Control-Request-Headers: if-match,x-y",
        )
        .await;
    assert_eq!((preflight.status, preflight.body.as_str()), (200, ""));
    assert!(preflight.header("access-control-allow-methods").unwrap().starts_with("POST,GET,OPTIONS,PUT,PATCH,DELETE"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("if-match,x-y"));
    assert_eq!(preflight.header("access-control-max-age"), Some("86400"));
    let plain = server.ask("OPTIONS", "/v3/kv/put", "").await;
    assert_eq!(plain.status, 200);
}

#[tokio::test]
async fn cors_for_some() {
    let server = start(Setup { cors: AllowList::Only(vec!["http://page".into()]), ..Setup::default() });
    for origin in ["http://page", "http://page:80"] {
        let known = server.ask("GET", "/hello", &format!("Origin: {origin}")).await;
        assert_eq!(known.header("access-control-allow-origin"), Some(origin));
        assert_eq!(known.header("vary"), Some("origin"));
    }
    for origin in ["https://page", "http://page:8080", "http://other:80"] {
        let answer = server.ask("GET", "/hello", &format!("Origin: {origin}")).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None), "{origin}");
        let preflight = server.ask("OPTIONS", "/hello", &format!("Origin: {origin}")).await;
        assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (200, None), "{origin}");
    }
}

#[tokio::test]
async fn hosts() {
    let server = start(Setup { hosts: AllowList::Only(vec!["good".into()]), ..Setup::default() });
    let ask = async |host: &str| {
        server.raw(&format!("GET /hello HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
    };
    assert_eq!(ask("good:2379").await.status, 200);
    assert_eq!(ask("GOOD").await.status, 200);
    let refused = ask("localhost").await;
    assert_eq!((refused.status, refused.header("content-type")), (421, Some("text/plain; charset=utf-8")));
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn metrics_are_for_every_host_and_no_page() {
    let server = start(Setup { face: Face::Metrics, hosts: AllowList::Only(vec!["x".into()]), ..Setup::default() });
    let answer = server.ask("GET", "/hello", "Origin: http://page").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let server = start(Setup::default());
    let limit = 2 * MAX_MESSAGE + 64 * 1024;
    let text = format!("request body is larger than {limit} bytes");
    // By its length, before a byte of it is there.
    for (path, want) in
        [("/v3/kv/put", (413, text.as_str())), ("/echo", (413, &text)), ("/nope", (404, "404 page not found\n"))]
    {
        let answer = server.ask("POST", path, &format!("Content-Length: {}", limit + 1)).await;
        assert_eq!((answer.status, answer.body.as_str()), want, "{path}");
    }

    let chunked = |path: &str, size: usize| {
        let body = "x".repeat(size);
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
        )
    };
    assert_eq!(server.raw(&chunked("/echo", limit)).await.body, limit.to_string());
    let answer = server.raw(&chunked("/echo", limit + 1)).await;
    assert_eq!((answer.status, answer.body), (413, text));
    // A stream of requests has no end, and so no limit but that of each message.
    assert_eq!(server.raw(&chunked("/v3/watch", limit + 1)).await.body, (limit + 1).to_string());
}

#[tokio::test]
async fn json_calls_count_as_the_calls_they_are() {
    let server = start(Setup::default());
    server.ask("POST", "/v3/kv/put", "").await;
    server.ask("POST", "/v3/kv/put", "Content-Length: 99999999").await;
    server.ask("GET", "/v3/kv/put", "").await;
    server.ask("POST", "/v3/watch", "").await;
    for (series, value) in [
        ("started_total{grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}", 2),
        ("handled_total{grpc_code=\"OK\",grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}", 1),
        (
            "handled_total{grpc_code=\"ResourceExhausted\",grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}",
            1,
        ),
        (
            "handled_total{grpc_code=\"OK\",grpc_method=\"Watch\",grpc_service=\"etcdserverpb.Watch\",grpc_type=\"bidi_stream\"}",
            1,
        ),
    ] {
        assert!(server.metric(&format!("grpc_server_{series} {value}")), "{series}");
    }
}

#[tokio::test]
async fn bodies_that_are_packed_are_refused() {
    let server = start(Setup::default());
    for (path, content_type) in [("/v3/kv/put", "application/json"), ("/echo", "application/problem+json")] {
        for encoding in ["gzip", "br", "gzip, identity", "identity\nContent-Encoding: gzip"] {
            let answer = server.ask("POST", path, &format!("Content-Encoding: {encoding}")).await;
            assert_eq!((answer.status, answer.header("content-type")), (415, Some(content_type)), "{path} {encoding}");
            assert_eq!(answer.header("accept-encoding"), Some("identity"), "{path} {encoding}");
        }
        assert_eq!(server.ask("POST", path, "Content-Encoding: identity").await.status, 200, "{path}");
    }
    assert_eq!(server.ask("GET", "/hello", "Content-Encoding: gzip").await.status, 200);
}

#[tokio::test]
async fn what_http_forbids_is_refused() {
    let server = start(Setup::default());
    let status = async |head: &str| server.raw(&format!("{head}\r\nConnection: close\r\n\r\n")).await.status;
    assert_eq!(status("GET /hello HTTP/1.1").await, 400);
    assert_eq!(status("GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: b").await, 400);
    assert_eq!(status("GET /hello HTTP/1.0").await, 200);
    for host in ["a b", "a/b", "a@b", "a\"b", "a\\b", "a?b", "\u{e4}"] {
        assert_eq!(status(&format!("GET /hello HTTP/1.1\r\nHost: {host}")).await, 400, "{host}");
        assert_eq!(status(&format!("GET /hello HTTP/1.0\r\nHost: {host}")).await, 400, "{host}");
    }
    for host in ["", "a", "a:80", "[::1]:80", "[fe80::1%25eth0]", "a_b.c-d", "1.2.3.4"] {
        assert_eq!(status(&format!("GET /hello HTTP/1.1\r\nHost: {host}")).await, 200, "{host}");
    }
    let claimed = server.ask("POST", "/echo", "Content-Type: application/grpc").await;
    assert_eq!((claimed.status, claimed.body.as_str()), (200, "0"), "gRPC is never spoken over HTTP/1.1");
}
