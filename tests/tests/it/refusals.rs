//! Requests that are refused before they are read: the answer arrives, whatever the client still sends, and is the one
//! that HTTP has for it.

use std::net::SocketAddr;

use http::Method;
use keyport_tests::Server;
use keyport_tests::http::Http;
use keyport_tests::raw::Raw;

/// Above every limit.
const HUGE: usize = 8 << 20;
/// Below the limit of a body, and far above what is read of one that nobody wants.
const LARGE: usize = 2 << 20;

/// Sends a whole request before it reads anything, as many clients do: the head of the answer and its body.
pub(crate) async fn write_first(
    addr: SocketAddr,
    method: &str,
    path: &str,
    size: usize,
    announced: bool,
) -> (u16, String, String) {
    let mut raw = Raw::connect(addr).await;
    let length = if announced { format!("Content-Length: {size}") } else { "Transfer-Encoding: chunked".to_owned() };
    let what = format!("{method} {path}, {length}");
    assert!(raw.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n")).await, "{what}");
    let piece = vec![b' '; 64 << 10];
    for _ in 0..size / piece.len() {
        let sent = match announced {
            true => raw.send(&piece).await,
            false => raw.send([b"10000\r\n", &piece[..], b"\r\n"].concat()).await,
        };
        assert!(sent, "{what}: the server takes no more");
    }
    if !announced {
        assert!(raw.send("0\r\n\r\n").await, "{what}");
    }
    answer(&mut raw, &what).await
}

/// The status, the head and the body of an answer with a length.
async fn answer(raw: &mut Raw, what: &str) -> (u16, String, String) {
    let head = raw.read_until(b"\r\n\r\n").await.unwrap_or_else(|got| panic!("{what}: no answer but {got:?}"));
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0").parse().unwrap();
    while raw.buffer.len() < length {
        assert!(raw.read_more().await, "{what}: half an answer");
    }
    let rest = raw.buffer.split_off(length);
    let body = String::from_utf8_lossy(&std::mem::replace(&mut raw.buffer, rest)).into_owned();
    (status, head, body)
}

#[tokio::test]
async fn refusals_reach_who_writes_first() {
    let server = Server::start();
    let mut texts = Vec::new();
    for announced in [true, false] {
        for (method, path, want) in [
            ("POST", "/nonsense", 404),
            ("POST", "/v3/nonsense", 404),
            // etcd takes any method there, and reads all of it.
            ("POST", "/health", 405),
        ] {
            let (status, ..) = write_first(server.addr(), method, path, LARGE, announced).await;
            assert_eq!(status, want, "{method} {path} {announced}");
        }
        if server.is_etcd() {
            continue; // takes bodies of any size, and says 501 to other methods
        }
        let (status, ..) = write_first(server.addr(), "PUT", "/v3/kv/put", LARGE, announced).await;
        assert_eq!(status, 405, "{announced}");
        let (status, _, body) = write_first(server.addr(), "POST", "/v3/kv/put", HUGE, announced).await;
        assert_eq!(status, 413, "{announced}: {body}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["code"], 8, "{announced}: {body}");
        texts.push(body.to_string());
        let (status, _, body) = write_first(server.addr(), "POST", "/v3/maintenance/snapshot", HUGE, announced).await;
        assert!(status == 413 && body.contains(r#""http_code":413"#), "{announced}: {status} {body}");
        // A path of nobody is that, whatever comes there; that of an RPC is for gRPC.
        for (path, want) in [("/etcdserverpb.KV/Nothing", 404), ("/etcdserverpb.KV/Put", 415)] {
            let (status, ..) = write_first(server.addr(), "POST", path, HUGE, announced).await;
            assert_eq!(status, want, "{path} {announced}");
        }
    }
    assert!(texts.windows(2).all(|two| two[0] == two[1]), "{texts:?}");
}

/// The same with one request a stream, where the connection is to go on.
#[tokio::test]
async fn refusals_over_http2_leave_the_connection() {
    let server = Server::start();
    if server.is_etcd() {
        return; // takes bodies of any size
    }
    let http = server.http2();
    for (method, path, size, want) in [
        (Method::POST, "/v3/kv/put", HUGE, 413),
        (Method::POST, "/nonsense", LARGE, 404),
        (Method::PUT, "/v3/kv/put", LARGE, 405),
        (Method::POST, "/health", LARGE, 405),
    ] {
        let answer = http.send(method.clone(), path, &[], vec![b' '; size]).await;
        assert_eq!(answer.status, want, "{method} {path}: {}", answer.text());
        if want == 413 {
            assert_eq!(answer.json()["code"], 8);
        }
        assert_eq!(http.get("/version").await.status, 200);
    }
}

/// What is wrong in a small request costs its client no connection.
#[tokio::test]
async fn small_refusals_keep_the_connection() {
    let server = Server::start();
    let mut raw = Raw::connect(server.addr()).await;
    for (request, want) in [
        ("POST /nonsense HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 404),
        ("POST /v3/nonsense HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 404),
        ("POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 400),
        ("GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
    ] {
        assert!(raw.send(request).await, "{request}");
        let (status, head, _) = answer(&mut raw, request).await;
        assert_eq!(status, want, "{request}");
        assert!(!head.contains("connection: close"), "{head}");
    }
}

/// The same with a body that is not small, and with one for which nobody would stay.
#[tokio::test]
async fn refusals_say_whether_the_connection_goes_on() {
    let server = Server::start();
    for (size, closes) in [(100_000, false), (1 << 20, true)] {
        let body = "x".repeat(size);
        for request in [
            format!("POST /nonsense HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n{body}"),
            format!("POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n{body}"),
            format!(
                "POST /nonsense HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
            ),
        ] {
            let what = request.get(..80).unwrap();
            let mut raw = Raw::connect(server.addr()).await;
            assert!(raw.send(&request).await, "{what}");
            let (_, head, _) = answer(&mut raw, what).await;
            assert_eq!(head.contains("connection: close"), closes, "{what}: {head}");
            if !closes {
                assert!(raw.send("GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n").await, "{what}");
                assert_eq!(answer(&mut raw, what).await.0, 200, "{what}");
            }
        }
    }
}

/// What a server says to exactly these bytes: its status, and where to go instead.
async fn said(addr: SocketAddr, request: &str) -> (u16, String) {
    let mut raw = Raw::connect(addr).await;
    raw.send(request).await;
    let head = raw.read_until(b"\r\n\r\n").await.unwrap_or_default();
    let head = String::from_utf8_lossy(&head).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let location =
        head.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")));
    (status, location.map(|(_, to)| to.to_owned()).unwrap_or_default())
}

#[tokio::test]
async fn needless_parts_of_a_path_are_left_out_elsewhere() {
    let server = Server::start();
    if server.older_than("3.6") {
        return; // says 301, which loses the method
    }
    for (given, clean) in [
        ("//health", "/health"),
        ("//metrics", "/metrics"),
        ("///version", "/version"),
        ("//health?serializable=true", "/health?serializable=true"),
        ("/./health", "/health"),
        ("/x/../health", "/health"),
        ("//nonsense", "/nonsense"),
    ] {
        let answer = said(server.addr(), &format!("GET {given} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        assert_eq!(answer, (307, clean.to_owned()), "{given}");
    }
    // The method and the body stay, so that this works for calls, too.
    for given in ["//v3/kv/range", "/v3//kv/range"] {
        let answer =
            said(server.addr(), &format!("POST {given} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}"))
                .await;
        assert_eq!(answer, (307, "/v3/kv/range".to_owned()), "{given}");
    }
    assert_eq!(said(server.addr(), "GET /health/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await, (404, String::new()));
}

#[tokio::test]
async fn requests_that_http_forbids() {
    what_http_forbids(Server::start().addr()).await;
}

pub(crate) async fn what_http_forbids(addr: SocketAddr) {
    for (request, want) in [
        ("GET /version HTTP/1.1\r\n\r\n", 400),
        ("GET /version HTTP/1.0\r\n\r\n", 200),
        ("GET /version HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        ("GET /version HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        ("GET /version HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET /version HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET /version HTTP/1.1\r\nHost: [::1%25lo]:80\r\n\r\n", 200),
        ("POST /v3/kv/range HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ] {
        assert_eq!(said(addr, request).await.0, want, "{request:?}");
    }
}

/// What a request says of itself does not get it past the list of names.
#[tokio::test]
async fn no_content_type_passes_the_host_whitelist() {
    let server = Server::builder().args(["--host-whitelist", "127.0.0.1"]).start();
    let body = r#"{"key":"aw==","value":"dg=="}"#;
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc-web",
        "application/grpc-web-text",
        "text/plain",
    ] {
        for (host, refused) in [("rebound.example", true), ("127.0.0.1", false)] {
            let request = format!(
                "POST /v3/kv/put HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let (status, _) = said(server.addr(), &request).await;
            assert_eq!(status == 421, refused, "{content_type} for {host}: {status}");
        }
    }
    let http = Http::h2c(server.addr());
    let rebound = [("host", "rebound.example"), ("content-type", "application/grpc-web")];
    // Over HTTP/2 the name is in `:authority`; a Host header beside it does not help either.
    if !server.is_etcd() {
        let answer = http.send(Method::POST, "/v3/kv/put", &rebound[1..], body).await;
        assert_ne!(answer.status, 421);
        let answer = http.send(Method::POST, "/v3/kv/put", &rebound, body).await;
        assert_eq!(answer.status, 400);
    }
}

/// What stands before a server may have gone by the one, and the server by the other. (etcd does not look at the header then.)
#[tokio::test]
async fn a_request_names_one_host() {
    let server = Server::builder().args(["--host-whitelist=*"]).start();
    if server.is_etcd() {
        return;
    }
    let addr = server.addr();
    for (target, host, want) in [
        ("http://localhost/version", "localhost", 200),
        ("http://localhost:80/version", "LOCALHOST", 200),
        ("http://localhost/version", "elsewhere.example", 400),
        ("http://elsewhere.example/version", "localhost", 400),
        ("http://localhost:2379/version", "localhost:2380", 400),
        ("http://localhost/version", "", 400),
        ("/version", "elsewhere.example", 200),
    ] {
        let (status, _) = said(addr, &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(status, want, "{target} {host}");
    }
    let (http, own) = (Http::h2c(addr), addr.to_string());
    let send = async |verb: Method, path: &str, host: &str, kind: &str| {
        http.send(verb, path, &[("host", host), ("content-type", kind)], "{}").await
    };
    for (host, want) in [(own.as_str(), 200), ("elsewhere.example", 400)] {
        assert_eq!(send(Method::GET, "/version", host, "").await.status, want, "{host}");
    }
    // Each face in its own words.
    let message = "the Host header names another host than the request's target";
    let problem = send(Method::GET, "/version", "elsewhere.example", "").await;
    assert_eq!(
        (problem.header("content-type"), &problem.json()["detail"]),
        ("application/problem+json", &message.into())
    );
    let json = send(Method::POST, "/v3/kv/range", "elsewhere.example", "application/json").await;
    assert_eq!(
        (json.status.as_u16(), &json.json()["code"], &json.json()["message"]),
        (400, &3.into(), &message.into())
    );
    let grpc = send(Method::POST, "/etcdserverpb.KV/Range", "elsewhere.example", "application/grpc").await;
    assert_eq!((grpc.status.as_u16(), grpc.header("grpc-status")), (400, "3"));
}

#[tokio::test]
async fn timeouts_that_are_none_and_methods_that_grpc_has_not() {
    let server = Server::start();
    if server.older_than("3.6") {
        return; // has other words for all of it
    }
    let http = server.http2();
    let range = "/etcdserverpb.KV/Range";
    let message = keyport_tests::grpc::frame(b"\x0a\x01k");
    let with = |timeout| [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", timeout)];
    let answer = http.send(Method::POST, range, &with("0n"), message.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.header("grpc-status")), (200, "4"));
    for malformed in ["", "5", "S", "-1S", "1x", "123456789S"] {
        let answer = http.send(Method::POST, range, &with(malformed), message.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.header("grpc-status")), (400, "13"), "{malformed:?}");
    }
    let answer = http.send(Method::GET, range, &with("5S")[..2], "").await;
    assert_eq!(answer.status, 405);
    // The gateway has its own words.
    let timeout = [("grpc-timeout", "1x")];
    let answer = server.http().send(Method::POST, "/v3/kv/range", &timeout, r#"{"key":"aw=="}"#).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (400, &3.into()), "{}", answer.text());
}
