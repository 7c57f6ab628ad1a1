//! The types of problems: every one that can be provoked from outside leads to its page.

use std::collections::BTreeSet;

use http::Method;
use keyport_api::error::Kind;
use keyport_tests::Server;
use keyport_tests::http::{Answer, Http};
use serde_json::{Value, json};

use super::{Store, number, problem};

/// Asks for what a problem's type says, in each form.
async fn look_up(http: &Http, answer: &Answer) -> &'static str {
    let (status, _) = problem(answer);
    let document = answer.json();
    let address = document["type"].as_str().unwrap();
    let page = http.get(address).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "application/json"), "{address}");
    let page = page.json();
    assert_eq!((&page["type"], &page["status"]), (&json!(address), &json!(status)), "{document}");
    assert_eq!(page["title"], document["title"]);
    if let Some(code) = document["grpc_code"].as_i64() {
        assert!(page["grpc_codes"].as_array().unwrap().contains(&json!(code)), "{document} {page}");
    }
    for part in ["meaning", "when", "remedy"] {
        assert!(page[part].as_str().is_some_and(|text| text.ends_with('.')), "{page}");
    }
    let shown = async |accept: &str| http.send(Method::GET, address, &[("accept", accept)], "").await;
    let html = shown("text/html,application/xhtml+xml,*/*;q=0.8").await;
    assert_eq!(html.header("content-type"), "text/html; charset=utf-8");
    assert!(html.text().contains(&format!("<h1>{}</h1>", page["title"].as_str().unwrap())), "{}", html.text());
    let text = shown("text/plain").await;
    assert!(text.text().contains(address) && text.header("content-type").starts_with("text/plain"), "{}", text.text());
    Kind::ALL.iter().map(|kind| kind.info()).find(|info| info.address == address).unwrap().name
}

/// What one member without users can be made to say.
#[tokio::test]
async fn every_type_has_its_page() {
    let store = Store::with(&["--max-request-bytes", "10000"]);
    let http = &store.http;
    store.put("k", "text").await;
    store.put("k", "more").await;
    http.call("/v3/kv/compaction", json!({ "revision": "3" })).await;
    http.call("/v3/lease/grant", json!({ "ID": "7", "TTL": "60" })).await;
    let keys = async |method: Method, key: &str, headers: &[(&str, &str)], body: &str| {
        store.ask(method, key, headers, body.to_owned()).await
    };
    let merge = [("content-type", "application/merge-patch+json")];
    let all = vec![
        ("malformed-request", store.get("k?rev=x").await),
        ("empty-key", store.get("").await),
        ("future-revision", store.get("k?rev=1000").await),
        ("lease-ttl-too-large", keys(Method::PUT, "k?ttl=9000000001", &[], "x").await),
        ("foreign-page", keys(Method::PUT, "k", &[("origin", "http://a.example")], "x").await),
        ("key-not-found", store.get("nothing").await),
        ("lease-not-found", keys(Method::PUT, "k?lease=9", &[], "x").await),
        ("method-not-allowed", http.send(Method::PUT, "/v3/leases", &[], "").await),
        ("conflict", keys(Method::PATCH, "k", &merge, "{}").await),
        ("lease-exists", http.post("/v3/leases", r#"{"ttl":60,"id":7}"#).await),
        ("compacted", store.get("k?rev=2").await),
        ("revision-mismatch", keys(Method::PUT, "k?cas=2", &[], "x").await),
        ("precondition-failed", http.send(Method::GET, "/v3/snapshot", &[("if-match", "\"x\"")], "").await),
        ("content-too-large", store.put("k", "x".repeat(20_000)).await),
        ("unsupported-media-type", keys(Method::PATCH, "k", &[("content-type", "text/plain")], "x").await),
        ("unsupported-media-type", keys(Method::PUT, "k", &[("content-encoding", "gzip")], "x").await),
        ("range-not-satisfiable", keys(Method::GET, "k", &[("range", "bytes=100-")], "").await),
        ("not-found", http.get("/problems/nothing").await),
        ("unknown-host", keys(Method::GET, "k", &[("host", "elsewhere.example")], "").await),
        ("deadline-exceeded", keys(Method::GET, "k", &[("grpc-timeout", "0n")], "").await),
    ];
    let mut seen = BTreeSet::new();
    for (name, answer) in &all {
        assert_eq!(look_up(http, answer).await, *name, "{}", answer.text());
        seen.insert(*name);
    }
    assert!(seen.len() > 15);
    let compacted = &all.iter().find(|(name, _)| *name == "compacted").unwrap().1;
    assert_eq!(number(&compacted.json(), "oldest_revision"), 3);
    let changed = &all.iter().find(|(name, _)| *name == "revision-mismatch").unwrap().1;
    assert_eq!((number(&changed.json(), "current_revision"), changed.header("etag")), (3, "\"3\""));
}

/// Those that need users, rates or a full database.
#[tokio::test]
async fn types_that_settings_bring() {
    let full = Store::with(&["--quota-backend-bytes", "1"]);
    assert_eq!(look_up(&full.http, &full.put("k", "x").await).await, "no-space");
    let slow = Store::with(&["--rate-limit-per-address", "1:1"]);
    let mut answer = slow.get("nothing").await;
    while answer.status != 429 {
        answer = slow.get("nothing").await;
    }
    assert_eq!((problem(&answer).0, answer.header("retry-after")), (429, "1"));
    assert_eq!(answer.json()["type"], "/problems/rate-exceeded");

    let store = Store::start();
    let call = async |path: &str, body: Value| _ = store.http.call(path, body).await;
    for (name, password) in [("root", "secret"), ("alice", "wonder")] {
        call("/v3/auth/user/add", json!({ "name": name, "password": password })).await;
    }
    call("/v3/auth/role/add", json!({ "name": "root" })).await;
    call("/v3/auth/user/grant", json!({ "user": "root", "role": "root" })).await;
    call("/v3/auth/enable", json!({})).await;
    let login = async |header: &str| store.ask(Method::GET, "k", &[("authorization", header)], "").await;
    let basic = |pair: &str| format!("Basic {}", keyport_tests::http::b64(pair));
    for (name, answer) in [
        ("unauthenticated", store.get("k").await),
        ("invalid-token", login("Bearer nobody.7").await),
        ("invalid-credentials", login(&basic("alice:x")).await),
        ("permission-denied", login(&basic("alice:wonder")).await),
    ] {
        assert_eq!(look_up(&store.http, &answer).await, name, "{}", answer.text());
        assert_eq!(answer.status == 401, !answer.header("www-authenticate").is_empty(), "{name}");
    }
    // Some tries come back while it runs.
    let mut stopped = login(&basic("alice:0")).await;
    for n in 1..50 {
        if stopped.status == 429 {
            break;
        }
        stopped = login(&basic(&format!("alice:{n}"))).await;
    }
    assert_eq!(look_up(&store.http, &stopped).await, "too-many-logins");
    assert_eq!(stopped.header("retry-after"), "10");
}

#[tokio::test]
async fn the_list_has_all() {
    let server = Server::start();
    let list = server.http().get("/problems/").await.json();
    let listed: Vec<_> = list["problems"].as_array().unwrap().iter().map(|row| row["type"].as_str().unwrap()).collect();
    let all: Vec<_> = Kind::ALL.iter().map(|kind| kind.info().address).collect();
    assert_eq!(listed, all);
    let entry = server.http().get("/problems").await;
    assert_eq!((entry.status.as_u16(), entry.header("location")), (307, "problems/"), "wherever a proxy has put it");
    let document = server.http().get("/openapi.json").await.json();
    assert_eq!(document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"], json!(all));
    for address in all {
        assert_eq!(server.http().get(address).await.status, 200, "{address}");
    }
}

/// The id that a client gives comes back, percent-encoded where a name cannot have it.
#[tokio::test]
async fn an_instance_is_a_request() {
    let store = Store::start();
    let ask = async |id: &str| store.ask(Method::GET, "nothing", &[("x-request-id", id)], "").await.json();
    assert_eq!(ask("abc").await["instance"], "urn:keyport:request:abc");
    assert_eq!(ask("a\"b c").await["instance"], "urn:keyport:request:a%22b%20c");
    let (one, other) = (store.get("nothing").await.json(), store.get("nothing").await.json());
    assert_ne!(one["instance"], other["instance"]);
}
