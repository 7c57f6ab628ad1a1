//! What statuses say beside themselves: where to go, what to do, when to come back.

use http::Method;
use keyport_tests::frames::flag::{ACK, END_HEADERS, END_STREAM};
use keyport_tests::frames::kind::{DATA, HEADERS, RST_STREAM, SETTINGS};
use keyport_tests::frames::{self, Frame, Http2, block, frame, request};
use keyport_tests::raw::Raw;
use keyport_tests::{Cluster, Server};
use serde_json::{Value, json};

use super::{Store, problem};

#[tokio::test]
async fn what_is_not_there_says_what_is() {
    let store = Store::start();
    let http = &store.http;
    let list = http.get("/v3/").await;
    assert_eq!((list.status.as_u16(), list.header("content-type")), (200, "application/json"));
    assert!(list.json()["paths"].as_array().unwrap().contains(&json!("/v3/kv/put")), "{}", list.text());
    for (method, path, meant) in [
        (Method::GET, "/v3/kv/nothing", None),
        (Method::GET, "/v3/kyes/app/db", Some("/v3/keys")),
        (Method::PUT, "/v3beta/key/k", Some("/v3/keys")),
        (Method::DELETE, "/v3/lock/nightly", Some("/v3/locks/{lock}")),
        (Method::GET, "/v3/kv/rang", Some("/v3/kv/range")),
    ] {
        let (status, detail) = problem(&http.send(method, path, &[], "").await);
        assert_eq!((status, detail.contains("GET /v3/ lists the calls")), (404, true), "{detail}");
        match meant {
            Some(meant) => assert!(detail.contains(&format!("did you mean {meant}?")), "{detail}"),
            None => assert!(!detail.contains("did you mean"), "{detail}"),
        }
    }
    // Whoever posts may be a client of the gateway, and hears what it says.
    let nowhere = http.post("/v3/kv/nothing", "{}").await;
    assert_eq!((nowhere.status.as_u16(), &nowhere.json()["code"]), (404, &json!(5)));
    assert!(nowhere.text().contains("/v3/ lists them, /docs describes them"), "{}", nowhere.text());
    assert!(http.get("/nothing").await.text().contains("/docs"));
    for (method, path, allow) in [
        (Method::GET, "/v3/kv/put", "POST"),
        (Method::PUT, "/v3/leases", "GET, HEAD, POST"),
        (Method::POST, "/v3/leases/7", "GET, HEAD, DELETE"),
        (Method::POST, "/health", "GET, HEAD"),
    ] {
        let refused = http.send(method.clone(), path, &[], "").await;
        assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, allow), "{method} {path}");
        assert!(refused.text().contains("/docs"), "{}", refused.text());
    }
}

/// Whoever asks with OPTIONS, a page or not, is told what a path takes.
#[tokio::test]
async fn options_say_what_is_allowed() {
    let store = Store::start();
    for (path, allow) in [
        ("/v3/keys/app/db", "GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS"),
        ("/v3beta/keys", "GET, HEAD, DELETE, OPTIONS"),
        ("/v3/watch", "GET, HEAD, POST, OPTIONS"),
        ("/v3/kv/put", "POST, OPTIONS"),
        ("/v3/transactions", "POST, OPTIONS"),
        ("/etcdserverpb.KV/Put", "POST, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"),
        ("/livez/serializable_read", "GET, HEAD, OPTIONS"),
        ("/v3/nothing", ""),
    ] {
        for headers in [&[][..], &[("origin", "http://elsewhere.example"), ("access-control-request-method", "PUT")]] {
            let answer = store.http.send(Method::OPTIONS, path, headers, "").await;
            assert_eq!((answer.status.as_u16(), answer.header("allow")), (200, allow), "{path} {headers:?}");
        }
    }
}

/// Numbers are written in one way, wherever they stand.
#[tokio::test]
async fn numbers_have_no_signs_and_no_zeros_in_front() {
    let store = Store::start();
    store.put("k", "v").await;
    for number in ["01", "%2B1", "+1", "-1", "1.0", "1e0", "0x1", "%201", ""] {
        for path in [
            format!("/v3/keys/k?rev={number}"),
            format!("/v3/keys/k?wait={number}"),
            format!("/v3/keys?limit={number}"),
            format!("/v3/history/k?limit={number}"),
            format!("/v3/watch?key=k&start_revision={number}"),
            format!("/v3/watch?key=k&heartbeat={number}"),
            format!("/v3/locks/l?limit={number}"),
        ] {
            assert_eq!(problem(&store.http.get(&path).await).0, 400, "{path}");
        }
    }
    for id in ["007", "+7", "0x+7", "-7", "7.0"] {
        assert_eq!(problem(&store.http.get(&format!("/v3/leases/{id}")).await).0, 400, "{id}");
        let wish = json!({"ttl": id}).to_string();
        assert_eq!(problem(&store.http.post("/v3/leases", wish).await).0, 400, "{id}");
        // A number of a guard may be below zero.
        let version = if id == "-7" { "-07" } else { id };
        let guard = json!({"if": [{"key": "k", "version": version}], "then": []}).to_string();
        assert_eq!(problem(&store.http.post("/v3/transactions", guard).await).0, 400, "{id}");
    }
    assert_eq!(store.get("k?rev=2").await.status, 200);
}

/// A name that nobody knows is said, and what might have been meant; a password is not.
#[tokio::test]
async fn misspelt_names_are_named() {
    let store = Store::start();
    let http = &store.http;
    let (status, detail) = problem(&http.post("/v3/leases", r#"{"tll":60}"#).await);
    assert_eq!(status, 400);
    assert!(detail.contains("unknown field `tll`, expected"), "{detail}");
    // It could be a password that stands in the wrong place.
    for body in [r#"{"name":"alice","wonder":"wonder"}"#, r#"{"name":"alice"}"#] {
        let (status, detail) = problem(&http.post("/v3/session", body).await);
        assert_eq!(status, 400, "{body}");
        assert!(detail.ends_with("; its fields are name and password") && !detail.contains("wonder"), "{detail}");
    }
    let (_, detail) = problem(&http.post("/v3/session", r#"{"name":"alice","password":77}"#).await);
    assert!(!detail.contains("77") && detail.contains("line 1"), "{detail}");
    let (status, detail) = problem(&store.get("k?revv=2").await);
    assert_eq!((status, detail.as_str()), (400, "unknown parameter revv"));
}

/// However much more is on its way: who sends hears why not.
#[tokio::test]
async fn a_refusal_of_a_large_body_arrives() {
    let store = Store::start();
    for bytes in [3_000_000, 60_000_000] {
        let refused = store.put("k", vec![b'x'; bytes]).await;
        assert_eq!(problem(&refused).0, 413);
        assert_eq!(refused.json()["type"], "/problems/content-too-large");
    }
    assert_eq!(store.put("k", "x").await.status, 201);
}

/// Over HTTP/2, too: the stream is not reset behind the answer while its client is still sending, or some would not see it.
#[tokio::test]
async fn a_refusal_of_a_large_body_arrives_over_http2() {
    const BYTES: usize = 3_000_000;
    let store = Store::start();
    let mut http2 = Http2::open(store.server.addr()).await;
    let length = block(&[("content-length", &BYTES.to_string())]);
    let head = [request("PUT", "/v3/keys/k"), length].concat();
    assert!(http2.send(frame(HEADERS, END_HEADERS, 1, &head)).await);
    let mut said = Vec::new();
    loop {
        let Frame { kind, flags, stream, payload } = http2.next().await.expect("an answer");
        assert!(kind != RST_STREAM, "reset before it was said why");
        if kind == SETTINGS && flags & ACK == 0 {
            assert!(http2.send(frame(SETTINGS, ACK, 0, &[])).await);
        }
        if (kind, stream) == (DATA, 1) {
            said.extend(payload);
            if flags & END_STREAM != 0 {
                break;
            }
        }
    }
    let problem: Value = serde_json::from_slice(&said).unwrap();
    assert_eq!((&problem["status"], &problem["type"]), (&json!(413), &json!("/problems/content-too-large")));
    assert!(http2.send_data(1, &vec![b'x'; BYTES]).await, "reset while the client was sending");
    assert!(http2.send(frame(DATA, END_STREAM, 1, &[])).await);
    http2.send(frames::get(3, "/livez")).await;
    assert_eq!(http2.outcome(&[3]).await.resets.len(), 0);
}

/// A majority that is gone is 503 on every resource, and worth another try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_one_comes_back_later() {
    let mut cluster = Cluster::of(3).start().await;
    let leader = cluster.leader().await;
    for member in (0..3).filter(|member| *member != leader) {
        cluster.kill(member).await;
    }
    let http = cluster.members[leader].http();
    for method in [Method::PUT, Method::GET] {
        let refused = http.send(method.clone(), "/v3/keys/k", &[], "").await;
        assert_eq!((problem(&refused).0, refused.header("retry-after")), (503, "1"), "{method}");
        let kind = refused.json()["type"].as_str().unwrap().to_owned();
        assert!(["/problems/timed-out", "/problems/no-leader"].contains(&&*kind), "{kind}");
    }
    let stale = http.get("/v3/keys/k?consistency=serializable").await;
    assert_eq!(stale.status, 404, "{}", stale.text());
}

/// Programs get links, browsers a page.
#[tokio::test]
async fn the_root_leads_on() {
    let server = Server::start();
    let http = server.http();
    let links = http.get("/").await.json();
    for (name, link) in links["links"].as_object().unwrap() {
        let there = http.get(link.as_str().unwrap()).await;
        let leads_on = there.status == 307 && there.header("location") == "ui/#/explorer";
        let expected = if name == "docs" { leads_on } else { there.status == 200 || name == "watch" };
        assert!(expected, "{name}: {} {}", there.status, there.header("location"));
    }
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let page = http.send(Method::GET, "/", &browser, "").await;
    assert_eq!((page.status.as_u16(), page.header("location"), page.header("vary")), (307, "ui/", "accept"));
}

/// What it costs to be told is paid by who asks.
#[tokio::test]
async fn timings_are_told_to_who_prefers_it() {
    let store = Store::start();
    let put = async |prefer: &str| store.ask(Method::PUT, "k", &[("prefer", prefer)], "x").await;
    assert_eq!(store.put("k", "x").await.header("server-timing"), "");
    assert_eq!(put("return=minimal").await.header("server-timing"), "");
    let told = put("return=representation, server-timing").await;
    let parts: Vec<_> = told.header("server-timing").split(", ").map(str::to_owned).collect();
    for part in &parts {
        let (name, duration) = part.split_once(";dur=").unwrap_or_else(|| panic!("{parts:?}"));
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{part}");
        assert!(duration.parse::<f64>().is_ok_and(|ms| (0.0..600_000.0).contains(&ms)), "{part}");
    }
    assert!(parts[0].starts_with("total;") && parts.iter().any(|part| part.starts_with("propose-until-applied;")));
    let applied: Vec<_> =
        told.headers.get_all("preference-applied").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(applied.join(","), "return=representation,server-timing");
    let gateway = [("prefer", "Server-Timing")];
    let range = store.http.send(Method::POST, "/v3/kv/range", &gateway, r#"{"key":"aw=="}"#).await;
    assert!(range.header("server-timing").contains("read;dur="), "{:?}", range.headers);
}

/// A name that a client gives its request comes back on every face, and is in the trace that it belongs to.
#[tokio::test]
async fn the_name_of_a_request_comes_back() {
    let store = Store::start();
    let named = [("x-request-id", "order 7")];
    for (method, path, status) in [
        (Method::GET, "/v3/keys?prefix=a", 200),
        (Method::GET, "/v3/keys/nothing", 404),
        (Method::POST, "/v3/kv/range", 400),
        (Method::GET, "/version", 200),
        (Method::GET, "/nothing", 404),
        (Method::GET, "/problems/", 200),
    ] {
        let answer = store.http.send(method, path, &named, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("x-request-id")), (status, "order 7"), "{path}");
    }
}

/// Whatever of its head is wrong: who asks hears why not, also with more on its way, and after an answer on the same connection.
#[tokio::test]
async fn refused_heads_are_told_why() {
    let store = Store::start();
    store.put("k", "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let get = |more: &str| format!("GET /v3/keys/k HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
    let long = "x".repeat(70_000);
    for (head, status, kind) in [
        (format!("GET /v3/keys/{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"), 414, "address-too-long"),
        (get(&format!("a: {}\r\n", long.repeat(20))), 431, "head-too-large"),
        (get(&"a: b\r\n".repeat(101)), 431, "head-too-large"),
        (get("content-length: 1\r\ncontent-length: 2\r\n"), 400, "malformed-request"),
        ("nonsense\r\n\r\n".to_owned(), 400, "malformed-request"),
    ] {
        for before in [0, 2] {
            let mut raw = Raw::connect(store.server.addr()).await;
            for _ in 0..before {
                assert!(raw.send(get("")).await);
                while !raw.buffer.ends_with(b"content-length: 0\r\n\r\n") {
                    assert!(raw.read_more().await);
                }
                let answer = String::from_utf8(std::mem::take(&mut raw.buffer)).unwrap();
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "a value is what it is: {answer}");
            }
            raw.send_reading(&head).await;
            let told = String::from_utf8(raw.read_to_end().await).unwrap();
            let (head, document) = told.split_once("\r\n\r\n").unwrap();
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status} ")) && head.contains("\r\nconnection: close"),
                "{head}"
            );
            assert!(head.contains("\r\ncontent-type: application/problem+json\r\n"), "{head}");
            assert!(head.contains(&format!("\r\ncontent-length: {}", document.len())), "{head}");
            let document: Value = serde_json::from_str(document).unwrap();
            assert_eq!((&document["type"], &document["status"]), (&json!(format!("/problems/{kind}")), &json!(status)));
            let id = document["instance"].as_str().unwrap().rsplit(':').next().unwrap();
            assert!(head.contains(&format!("\r\nx-request-id: {id}")), "{head}");
            assert_eq!(store.http.get(document["type"].as_str().unwrap()).await.status, 200);
        }
    }
}
