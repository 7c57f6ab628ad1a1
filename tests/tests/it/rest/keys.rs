//! One key: its value as it is, and what is said of it.

use http::Method;
use keyport_api::etcdserverpb::{PutRequest, RangeRequest};
use keyport_tests::http::b64;
use keyport_tests::wait::eventually;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::task::JoinSet;

use super::{Store, number, problem};

#[tokio::test]
async fn a_value_is_a_body_and_the_rest_is_in_headers() {
    let store = Store::start();
    let absent = store.get("app/db").await;
    assert_eq!(problem(&absent), (404, "there is no such key".into()));
    assert_eq!(absent.header("keyport-revision"), "1", "where a watch could begin");
    let made = store.put("app/db", "postgres://one").await;
    assert_eq!((made.status.as_u16(), made.header("location"), made.header("etag")), (201, "/v3/keys/app/db", "\"2\""));
    assert_eq!(made.json(), json!({"key": "app/db", "create_revision": "2", "mod_revision": "2", "version": "1"}));
    let changed = store.put("app/db", "postgres://two").await;
    assert_eq!((changed.status.as_u16(), changed.header("location")), (200, ""));
    for path in ["/v3/keys/app/db", "/v3beta/keys/app%2Fdb", "/v3/keys/?key_b64=YXBwL2Ri"] {
        let found = store.http.get(path).await;
        assert_eq!((found.status.as_u16(), found.text()), (200, "postgres://two".into()), "{path}");
        for (name, value) in [
            ("content-type", "application/octet-stream"),
            ("etag", "\"3\""),
            ("keyport-revision", "3"),
            ("keyport-create-revision", "2"),
            ("keyport-mod-revision", "3"),
            ("keyport-version", "2"),
            ("keyport-lease", ""),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(found.header(name), value, "{path}: {name}");
        }
    }
    let head = store.ask(Method::HEAD, "app/db", &[], "").await;
    assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, "14", 0));
    assert_eq!(store.get("app/db?rev=2").await.text(), "postgres://one");
    assert_eq!(store.get("app/db?rev=2&consistency=serializable").await.header("etag"), "\"2\"");
    let gone = store.delete("app/db?prev").await;
    assert_eq!((gone.status.as_u16(), gone.json()["value"].as_str()), (200, Some("postgres://two")));
    assert_eq!(problem(&store.delete("app/db").await).0, 404);
    store.put("app/db", "three").await;
    assert_eq!(store.delete("app/db").await.status, 204);
    let history = store.get("app/db?rev=3").await;
    assert_eq!(history.text(), "postgres://two", "what was deleted is still in history");
    store.http.call("/v3/kv/compaction", json!({"revision": "4"})).await;
    let compacted = store.get("app/db?rev=3").await;
    assert_eq!(problem(&compacted).0, 410);
    assert_eq!(compacted.json()["oldest_revision"], "4");
    assert_eq!(problem(&store.get("app/db?rev=1000").await).0, 400);
}

#[tokio::test]
async fn a_document_has_text_where_it_is_text() {
    let store = Store::start();
    let as_json = async |key: &str, accept: &str| store.ask(Method::GET, key, &[("accept", accept)], "").await;
    store.put("t", "grüße\n\"x\"").await;
    store.put("%FF%00", &[0xff, 0x00][..]).await;
    let text = as_json("t", "application/json").await;
    assert_eq!(text.header("content-type"), "application/json");
    assert_eq!(text.json()["value"], "grüße\n\"x\"");
    assert_eq!(text.header("etag"), "\"2.json\"", "other bytes, another tag");
    let bytes = as_json("%FF%00", "text/html;q=0.9, application/json").await.json();
    assert_eq!((&bytes["key_b64"], &bytes["value_b64"]), (&json!("/wA="), &json!("/wA=")));
    assert!(bytes["key"].is_null() && bytes["value"].is_null());
    assert_eq!(as_json("t", "text/plain").await.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(as_json("%FF%00", "text/plain").await.header("content-type"), "application/octet-stream");
    let empty = store.put("e", "").await;
    assert_eq!(empty.status, 201);
    assert_eq!(as_json("e", "application/json").await.json()["value"], "");
    let written = store.ask(Method::PUT, "t?prev", &[("prefer", "return=representation")], "new").await;
    assert_eq!(written.header("preference-applied"), "return=representation");
    assert_eq!(
        (&written.json()["value"], &written.json()["prev_kv"]["value"]),
        (&json!("new"), &json!("grüße\n\"x\""))
    );
    let quiet = store.ask(Method::PUT, "t", &[("prefer", "respond-async, return=minimal")], "newer").await;
    assert_eq!((quiet.status.as_u16(), quiet.body.len(), quiet.header("etag")), (204, 0, "\"6\""));
    let quiet = store.ask(Method::PUT, "n", &[("prefer", "return=\"minimal\"")], "newer").await;
    assert_eq!((quiet.status.as_u16(), quiet.body.len(), quiet.header("location")), (201, 0, "/v3/keys/n"));
}

/// What somebody will not have, or likes less, is not what he gets: a stream would never end.
#[tokio::test]
async fn a_stream_is_for_who_likes_it_best() {
    let store = Store::start();
    store.put("k", "v").await;
    let form = async |method: Method, key: &str, accept: &str| {
        let answer = store.ask(method, key, &[("accept", accept)], "v").await;
        assert!(answer.status.is_success(), "{accept}: {}", answer.text());
        answer.header("content-type").to_owned()
    };
    for (accept, form_of_key) in [
        ("text/event-stream;q=0", "application/octet-stream"),
        ("text/event-stream;q=0, application/json", "application/json"),
        ("application/json, text/event-stream", "application/json"),
        ("application/json, text/event-stream;q=0.9", "application/json"),
    ] {
        assert_eq!(form(Method::GET, "k", accept).await, form_of_key, "{accept}");
        assert_eq!(form(Method::PUT, "k", accept).await, "application/json", "{accept}");
    }
    for lines in ["application/x-ndjson", "application/ndjson", "application/jsonl"] {
        let list = store.http.send(Method::GET, "/v3/keys?recursive", &[("accept", lines)], "").await;
        assert_eq!(list.header("content-type"), "application/x-ndjson", "{lines}");
    }
}

#[tokio::test]
async fn large_values_are_given_in_parts() {
    let store = Store::start();
    let value: Vec<u8> = (0..1_000_000_u32).flat_map(|n| (n % 251).to_le_bytes().into_iter().take(1)).collect();
    store.put("big", value.clone()).await;
    let part = async |range: &str, if_range: &str| {
        let headers = [("range", range), ("if-range", if_range)];
        let headers = if if_range.is_empty() { &headers[..1] } else { &headers[..] };
        store.ask(Method::GET, "big", headers, "").await
    };
    let middle = part("bytes=500000-500009", "").await;
    assert_eq!((middle.status.as_u16(), middle.header("content-range")), (206, "bytes 500000-500009/1000000"));
    assert_eq!(&middle.body[..], &value[500_000..500_010]);
    assert_eq!(&part("bytes=-3", "\"2\"").await.body[..], &value[999_997..]);
    let whole = part("bytes=0-0", "\"1\"").await;
    assert_eq!((whole.status.as_u16(), whole.body.len()), (200, 1_000_000), "another value has no such part");
    let beyond = part("bytes=1000000-", "").await;
    assert_eq!((problem(&beyond).0, beyond.header("content-range")), (416, "bytes */1000000"));
    let head = store.ask(Method::HEAD, "big", &[("range", "bytes=0-0")], "").await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, "1000000"), "parts are for GET");
    store.put("nothing", "").await;
    let nothing = store.ask(Method::GET, "nothing", &[("range", "bytes=-5")], "").await;
    assert_eq!((nothing.status.as_u16(), nothing.header("content-range")), (200, ""), "all of nothing");
    for bytes in [1_600_000, 3_000_000] {
        let refused = store.put("big", vec![0; bytes]).await;
        assert_eq!(problem(&refused).0, 413, "{bytes}");
    }
    assert_eq!(store.get("big").await.body.len(), 1_000_000, "what was refused changed nothing");
}

#[tokio::test]
async fn a_key_with_a_time_to_live_goes_by_itself() {
    let store = Store::start();
    let leases = async || store.http.call("/v3/lease/leases", json!({})).await["leases"].as_array().map_or(0, Vec::len);
    let made = store.put("session?ttl=600", "a").await.json();
    let lease = number(&made, "lease");
    assert_eq!((number(&made, "ttl"), made["version"].as_str()), (600, Some("1")));
    let again = store.put("session?ttl=600", "b").await.json();
    assert_eq!((number(&again, "lease"), leases().await), (lease, 1), "it is the same lease, renewed");
    let found = store.get("session").await;
    assert_eq!(found.header("keyport-lease"), lease.to_string());
    let longer = store.put("session?ttl=700", "c").await.json();
    assert_ne!(number(&longer, "lease"), lease);
    assert_eq!(leases().await, 1, "the lease before is gone");
    let refused = store.put("session?ttl=800&create", "d").await;
    assert_eq!((problem(&refused).0, leases().await), (412, 1), "and so is that of what was refused");
    // Bound to the lease by somebody else, a key keeps it.
    let renewed = async || {
        let metrics = store.http.get("/metrics").await.text();
        metrics.lines().find(|line| line.starts_with("etcd_debugging_lease_renewed_total ")).unwrap().to_owned()
    };
    let before = renewed().await;
    assert_eq!(store.put("session?ttl=700&create", "d").await.status, 412);
    assert_eq!(renewed().await, before, "who may not have it does not keep it alive");
    let held = number(&longer, "lease");
    store.put(&format!("other?lease={held}"), "x").await;
    store.put("session?ttl=900", "e").await;
    assert_eq!((store.get("other").await.status.as_u16(), leases().await), (200, 2));
    store.http.call("/v3/lease/revoke", json!({"ID": held.to_string()})).await;
    assert_eq!(store.get("other").await.status, 404);
    assert_eq!(leases().await, 1);
    assert_eq!(store.put("session", "for ever").await.json()["lease"], json!(null));
    assert_eq!(leases().await, 0, "a lease of a key ends with it");
    store.put("gone?ttl=600", "x").await;
    store.delete("gone").await;
    assert_eq!(leases().await, 0);
    store.put("brief?ttl=1", "x").await;
    eventually("the key to go", async || (store.get("brief").await.status == 404).then_some(())).await;
    for (query, status, detail) in [
        ("ttl=0", 400, "ttl=0 is not a number of seconds"),
        ("ttl=-1", 400, "ttl=-1 is not a number of seconds"),
        ("ttl=1&lease=2", 400, "only one of ttl and lease makes sense, once"),
        ("ttl=99999999999", 400, "etcdserver: too large lease TTL"),
        ("lease=12345", 404, "etcdserver: requested lease not found"),
    ] {
        let refused = store.put(&format!("k?{query}"), "x").await;
        assert_eq!(problem(&refused), (status, detail.into()), "{query}");
    }
    assert_eq!(store.get("k").await.status, 404, "nothing is half done");
}

/// Bound to one lease by many at once, a key is where the last of them has put it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_confirmed_is_there_and_no_lease_is_left_over() {
    let store = Store::start();
    for round in 0..5 {
        let mut writers = JoinSet::new();
        for writer in 0..12 {
            let http = store.server.http();
            let path = format!("/v3/keys/k{round}?ttl={}", 600 + 100 * (writer % 3));
            writers.spawn(async move {
                for _ in 0..3 {
                    assert!(http.send(Method::PUT, &path, &[], "x").await.status.is_success());
                }
            });
        }
        writers.join_all().await;
        assert_eq!(store.get(&format!("k{round}")).await.status, 200, "round {round}");
    }
    let leases = store.http.get("/v3/leases").await.json();
    assert_eq!(leases["leases"].as_array().unwrap().len(), 5, "one a key");
}

const PERCENT: &str =
    "a percent sign in the path has no two hexadecimal digits behind it: %25 stands for the sign itself";

#[tokio::test]
async fn mistakes_are_named() {
    let store = Store::start();
    for (method, path, status, detail) in [
        (Method::GET, "/v3/keys/", 400, "etcdserver: key is not provided"),
        (Method::GET, "/v3/keys/a?rev=1&rev=2", 400, "rev is given twice"),
        (Method::GET, "/v3/keys/a%zz", 400, PERCENT),
        (Method::GET, "/v3/keys/a?watch=maybe", 400, "watch=maybe is not true or false"),
        (Method::GET, "/v3/keys/a?revv=1", 400, "unknown parameter revv"),
        (Method::GET, "/v3/keys/a?ttl=1", 400, "unknown parameter ttl"),
        (Method::GET, "/v3/keys/a?rev=x", 400, "rev=x is not a revision"),
        (Method::GET, "/v3/keys/a?key_b64=YQ", 400, "one key only: key_b64 is for `/v3/keys/`"),
        (Method::GET, "/v3/keys/?key_b64=%25", 400, "key_b64 is not base64"),
        (Method::GET, "/v3/keys/a?consistency=weak", 400, "consistency=weak is not linearizable or serializable"),
        (Method::POST, "/v3/keys", 405, "this resource takes GET, HEAD, DELETE; see /docs"),
    ] {
        let refused = store.http.send(method.clone(), path, &[], "").await;
        assert_eq!(problem(&refused), (status, detail.into()), "{method} {path}");
        assert!(!refused.header("x-request-id").is_empty());
    }
    for (method, path, headers) in [
        (Method::PUT, "/v3/keys/a", ("content-range", "bytes 0-1/5")),
        (Method::POST, "/v3/keys/a/", ("if-match", "\"1\"")),
        (Method::DELETE, "/v3/keys?prefix=a", ("if-none-match", "*")),
        (Method::DELETE, "/v3/keys?prefix=a&prefix_b64=YQ", ("accept", "*/*")),
    ] {
        assert_eq!(problem(&store.http.send(method.clone(), path, &[headers], "x").await).0, 400, "{method} {path}");
    }
    let refused = store.http.send(Method::TRACE, "/v3/keys/a", &[], "").await;
    assert_eq!(refused.header("allow"), "GET, HEAD, PUT, PATCH, POST, DELETE");
    assert_eq!(store.get("a?_=1&t=2").await.status, 404, "what libraries add is passed over");
}

/// What REST writes gRPC reads, and the reverse: any bytes in keys and values.
#[tokio::test]
async fn rest_and_grpc_are_one_store() {
    const SEED: u64 = 1;
    let store = Store::start();
    let mut grpc = store.server.grpc().await;
    let mut random = StdRng::seed_from_u64(SEED);
    for n in 0..400 {
        let mut bytes = |most: usize| -> Vec<u8> {
            // Many that mean something in paths.
            let any = |random: &mut StdRng| match random.random_range(0..3) {
                0 => random.random(),
                1 => b"/.%?#+&=~ \\"[random.random_range(0..11)],
                _ => random.random_range(b'a'..=b'z'),
            };
            (0..random.random_range(0..most)).map(|_| any(&mut random)).collect()
        };
        let (key, value) = ([bytes(12), vec![b'k']].concat(), bytes(40));
        let dots = key.split(|&byte| byte == b'/').any(|part| part == b"." || part == b"..");
        let path = match dots {
            true => format!("?key_b64={}", b64(&key).replace('+', "%2b")),
            false => key.iter().map(|byte| format!("%{byte:02x}")).collect(),
        };
        if n % 2 == 0 {
            let answer = store.put(&path, value.clone()).await;
            assert!(answer.status.is_success(), "{key:?}: {}", answer.text());
            let found = grpc.range(RangeRequest { key: key.clone().into(), ..RangeRequest::default() }).await;
            let kv = &found.kvs[0];
            assert_eq!((&kv.key[..], &kv.value[..]), (&key[..], &value[..]));
            assert_eq!(answer.header("etag"), format!("\"{}\"", kv.mod_revision));
        } else {
            let put = PutRequest { key: key.clone().into(), value: value.clone().into(), ..PutRequest::default() };
            let written = grpc.put_of(put).await;
            let found = store.get(&path).await;
            assert_eq!((found.status.as_u16(), &found.body[..]), (200, &value[..]), "{key:?}");
            assert_eq!(found.header("keyport-mod-revision"), written.header.unwrap().revision.to_string());
        }
    }
}
