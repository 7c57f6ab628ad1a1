//! Callers who give up. What they asked for may be done all the same, and whatever was done has a line that names it.

use std::collections::BTreeSet;

use http::Method;
use keyport_tests::frames::flag::END_STREAM;
use keyport_tests::frames::kind::DATA;
use keyport_tests::frames::reason::CANCEL;
use keyport_tests::frames::{self, Http2, grpc, reset};
use keyport_tests::grpc::{Grpc, frame, list, put};
use keyport_tests::http::{Http, b64};
use keyport_tests::raw::Raw;
use prost::Message;
use serde_json::{Value, json};

use super::Log;

const MANY: u32 = 64;

/// What is there under a prefix, once what comes after it was done.
async fn done(c: &mut Grpc, prefix: &str) -> BTreeSet<String> {
    c.put("after", "v").await;
    keyport_tests::grpc::keys(&c.range(list(prefix)).await).into_iter().collect()
}

/// Nothing was done that has no line.
async fn has_lines(log: &Log, done: &BTreeSet<String>) {
    log.once("a line for everything that was done", |lines| {
        let told = lines.iter().flat_map(|line| line["keys"].as_array().into_iter().flatten());
        let told: BTreeSet<_> = told.filter_map(|key| key["key"].as_str().map(str::to_owned)).collect();
        done.is_subset(&told).then_some(())
    })
    .await;
}

/// What is not answered with yes is not said to be done, but may be.
fn are_true(log: &Log) {
    let lines = log.lines();
    let given_up = lines.iter().filter(|line| line["code"] == "Canceled" || line["code"] == "DeadlineExceeded");
    for line in given_up {
        assert!(line["error"].is_string() && line.get("revision").is_none(), "{line}");
    }
}

#[tokio::test]
async fn whose_patience_ends() {
    let (server, log) = Log::start();
    let mut c = server.grpc().await;
    let ask = async |http: &Http, n: u32| {
        let headers = [("content-type", "application/json"), ("grpc-timeout", &*format!("{}u", 200 * (n % 16 + 1)))];
        let body = json!({ "key": b64(format!("k/{n}")), "value": b64("v") }).to_string();
        http.send(Method::POST, "/v3/kv/put", &headers, body).await.status
    };
    let http = server.http();
    let mut statuses = BTreeSet::new();
    for n in 0..MANY {
        statuses.insert(ask(&http, n).await.as_u16());
        let role = json!({ "name": format!("r/{n}") }).to_string();
        let headers = [("content-type", "application/json"), ("grpc-timeout", "500u")];
        http.send(Method::POST, "/v3/auth/role/add", &headers, role).await;
    }
    assert!(statuses.is_subset(&BTreeSet::from([200, 504])), "{statuses:?}");
    let keys = done(&mut c, "k/").await;
    has_lines(&log, &keys).await;
    let roles = http.call("/v3/auth/role/list", json!({})).await;
    log.once("a line for each role", |lines| {
        let told = |role: &Value| lines.iter().any(|line| &line["about"]["role"] == role);
        roles["roles"].as_array().into_iter().flatten().all(told).then_some(())
    })
    .await;
    are_true(&log);
}

#[tokio::test]
async fn who_resets_his_stream() {
    let (server, log) = Log::start();
    let mut c = server.grpc().await;
    let mut http2 = Http2::open(server.addr()).await;
    for n in 0..MANY {
        let stream = 2 * n + 1;
        let put = frame(&put(&format!("k/{n}"), "v").encode_to_vec());
        http2
            .send([grpc(stream, "/etcdserverpb.KV/Put"), frames::frame(DATA, END_STREAM, stream, &put)].concat())
            .await;
        assert!(http2.send(reset(stream, CANCEL)).await);
    }
    let keys = done(&mut c, "k/").await;
    has_lines(&log, &keys).await;
    are_true(&log);
}

#[tokio::test]
async fn who_closes_his_connection() {
    let (server, log) = Log::start();
    let mut c = server.grpc().await;
    for n in 0..MANY {
        let body = json!({ "key": b64(format!("k/{n}")), "value": b64("v") }).to_string();
        let mut raw = Raw::connect(server.addr()).await;
        raw.send(format!(
            "POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
        drop(raw);
    }
    let keys = done(&mut c, "k/").await;
    has_lines(&log, &keys).await;
    are_true(&log);
}

/// He stood in the line for a while, and left it when he gave up: both changed something.
#[tokio::test]
async fn who_waited_for_a_lock() {
    let (server, log) = Log::start();
    let http = server.http();
    for id in ["7", "8"] {
        http.call("/v3/lease/grant", json!({ "ID": id, "TTL": "1000" })).await;
    }
    http.call("/v3/lock/lock", json!({ "name": b64("l"), "lease": "7" })).await;
    let headers = [("content-type", "application/json"), ("grpc-timeout", "300m")];
    let body = json!({ "name": b64("l"), "lease": "8" }).to_string();
    let answer = http.send(Method::POST, "/v3/lock/lock", &headers, body).await;
    assert_eq!(answer.status, 504);
    let of_it = |line: &&Value| line["keys"][0]["key"] == "l/8";
    // A busy machine may need all that time to take the place.
    let (mut changes, lines) = log
        .once("the place is left", |lines| {
            let lines: Vec<_> = lines.iter().filter(of_it).cloned().collect();
            let changes: Vec<_> = lines.iter().filter_map(|line| line["revision"].as_i64()).collect();
            (changes.len() == 2).then_some((changes, lines))
        })
        .await;
    changes.sort_unstable();
    assert_eq!(changes, [3, 4]);
    assert!(lines.iter().all(|line| line["call"] == "/v3lockpb.Lock/Lock"), "{lines:#?}");
    assert!(lines.iter().any(|line| line["code"] == "DeadlineExceeded"), "{lines:#?}");
    assert!(lines.iter().any(|line| line["code"] == "OK" && line["late"] == true), "{lines:#?}");
}
