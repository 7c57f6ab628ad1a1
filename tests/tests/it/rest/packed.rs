//! Answers that are compressed: which are, which never are, and that they say the same.

use std::io::Read as _;

use flate2::read::GzDecoder;
use http::Method;
use http::header::VARY;
use keyport_tests::http::{Answer, b64};
use serde_json::{Value, json};

use super::{Store, problem};

fn unpacked(answer: &Answer) -> Vec<u8> {
    match answer.header("content-encoding") {
        "gzip" => {
            let mut out = Vec::new();
            GzDecoder::new(&*answer.body).read_to_end(&mut out).unwrap();
            out
        }
        "zstd" => zstd::decode_all(&*answer.body).unwrap(),
        "" => answer.body.to_vec(),
        other => panic!("{other}"),
    }
}

fn varies(answer: &Answer) -> bool {
    let vary: Vec<_> = answer.headers.get_all(VARY).iter().map(|value| value.to_str().unwrap()).collect();
    vary.join(",").contains("accept-encoding")
}

async fn filled(keys: usize, value: &str) -> Store {
    let store = Store::start();
    for n in 0..keys {
        store.put(&format!("k/{n:04}"), value.to_owned()).await;
    }
    store
}

#[tokio::test]
async fn long_lists_are_packed_as_it_is_liked() {
    let store = filled(30, &"value ".repeat(20)).await;
    let list = "/v3/keys?prefix=k/";
    let ask = async |accept: &str| store.http.send(Method::GET, list, &[("accept-encoding", accept)], "").await;
    let plain = store.http.get(list).await;
    assert_eq!((plain.header("content-encoding"), varies(&plain)), ("", true), "{:?}", plain.headers);
    for (accept, encoding) in [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip", "gzip"),
        ("zstd;q=0.2, gzip;q=0.3", "gzip"),
        ("gzip;q=0", ""),
        ("identity, gzip;q=0.5", ""),
        ("br", ""),
    ] {
        let answer = ask(accept).await;
        assert_eq!((answer.header("content-encoding"), varies(&answer)), (encoding, true), "{accept}");
        assert_eq!(unpacked(&answer), plain.body, "{accept}");
        assert!(encoding.is_empty() || answer.body.len() * 3 < plain.body.len(), "{}", answer.body.len());
    }
    let with_cookie = [("accept-encoding", "gzip"), ("cookie", "theme=dark")];
    let answer = store.http.send(Method::GET, list, &with_cookie, "").await;
    assert_eq!(answer.header("content-encoding"), "", "a browser sends these by itself");
}

/// A list of the gateway that goes out in pieces, and one that does not.
#[tokio::test]
async fn the_gateway_packs_too() {
    let store = filled(40, &"0123456789abcdef".repeat(500)).await;
    let range =
        |limit: u32| json!({ "key": b64("k/"), "range_end": b64("k0"), "limit": limit.to_string() }).to_string();
    for limit in [1, 0] {
        let plain = store.http.post("/v3/kv/range", range(limit)).await.json();
        for encoding in ["gzip", "zstd"] {
            let headers = [("accept-encoding", encoding)];
            let answer = store.http.send(Method::POST, "/v3/kv/range", &headers, range(limit)).await;
            assert_eq!(answer.header("content-encoding"), encoding);
            let document: Value = serde_json::from_slice(&unpacked(&answer)).unwrap();
            assert_eq!((&document["kvs"], &document["count"]), (&plain["kvs"], &plain["count"]));
        }
    }
}

/// What has a tag, what can be had in parts, what goes on, what is short, and what says no.
#[tokio::test]
async fn these_stay_as_they_are() {
    let store = filled(20, &"x".repeat(5000)).await;
    let both = ("accept-encoding", "gzip, zstd");
    let range = ("range", "bytes=0-2999");
    for (path, headers) in [
        ("/v3/keys/k/0000", &[both][..]),
        ("/v3/keys/k/0000", &[both, range]),
        ("/v3/keys/k/0000", &[both, ("accept", "application/json")]),
        ("/v3/keys/nothing", &[both]),
        ("/v3/keys?prefix=k/000&keys_only", &[both]),
        ("/v3/keys?prefix=k/", &[both, ("accept", "application/x-ndjson")]),
        ("/v3/snapshot", &[both]),
    ] {
        let answer = store.http.send(Method::GET, path, headers, "").await;
        assert_eq!(answer.header("content-encoding"), "", "{path} {headers:?}");
    }
    let part = store.ask(Method::GET, "k/0000", &[both, range], "").await;
    assert_eq!((part.status.as_u16(), part.body.len(), part.header("etag")), (206, 3000, "\"2\""));
    let watch = store.http.get_stream("/v3/watch?prefix=k/&initial=true", &[both]).await;
    assert!(watch.status() == 200 && !watch.headers().contains_key("content-encoding"));
    for encoding in ["gzip", "zstd", "br"] {
        let refused = store.ask(Method::PUT, "k", &[("content-encoding", encoding)], "x").await;
        assert_eq!((problem(&refused).0, refused.header("accept-encoding")), (415, "identity"), "{encoding}");
    }
}
