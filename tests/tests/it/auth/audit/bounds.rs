//! Who has proved nothing does not fill the disk, and nothing that was changed is left out because of him.

use http::Method;
use http_body_util::{BodyExt, Full};
use keyport_tests::http::{Http, b64};
use keyport_tests::wait::within;
use serde_json::{Value, json};

use super::Log;

/// What a minute of it may add.
const MOST_BYTES: usize = 1 << 20;

fn count(lines: &[Value], call: &str) -> u64 {
    let of_it = lines.iter().filter(|line| line["call"] == call && line["user"] != "root");
    of_it.map(|line| line["more"].as_u64().unwrap_or(1)).sum()
}

#[tokio::test]
async fn names_without_end_and_refusals_without_number() {
    let (realm, log) = Log::realm().await;
    let root = realm.token("root").await;
    let login = "/etcdserverpb.Auth/Authenticate";
    let before = count(&log.lines(), login);
    let long = "x".repeat(1_500_000);
    for _ in 0..40 {
        realm.refusal("", "/v3/auth/authenticate", json!({ "name": long, "password": "p" })).await;
    }
    realm.done(&root, "/v3/kv/put", json!({ "key": b64("k/1") })).await;
    for _ in 0..300 {
        realm.refusal("", "/v3/kv/range", json!({ "key": b64(&long[..4000]) })).await;
    }
    // Each of them is written or counted.
    log.once("all logins", |lines| (count(lines, login) == before + 40).then_some(())).await;
    log.once("all reads", |lines| (count(lines, "/etcdserverpb.KV/Range") == 300).then_some(())).await;
    let lines = log.lines();
    assert!(lines.iter().any(|line| line["more"].is_u64()), "all are written");
    assert!(lines.iter().any(|line| line["call"] == "/etcdserverpb.KV/Put" && line["user"] == "root"));
    let cut = lines.iter().find(|line| line["user_bytes"] == 1_500_000).unwrap();
    assert_eq!(cut["user"].as_str().unwrap().len(), 1024);
    assert!(log.text().len() < MOST_BYTES, "{}", log.text().len());
}

#[tokio::test]
async fn a_stream_of_watches_that_are_refused() {
    const MANY: usize = 5000;
    let (realm, log) = Log::realm().await;
    ask(&realm.http, MANY).await;
    let watch = "/etcdserverpb.Watch/Watch";
    // And that the stream began.
    log.once("all of them", |lines| (count(lines, watch) == MANY as u64 + 1).then_some(())).await;
    assert!(log.text().len() < MOST_BYTES, "{}", log.text().len());
}

/// So many watches on one stream, by nobody; until all are answered.
async fn ask(http: &Http, many: usize) {
    let create = json!({ "create_request": { "key": b64("k".repeat(100)) } });
    let body = Full::new(format!("{create}\n").repeat(many).into()).boxed();
    let mut answer = http.open(Method::POST, "/v3/watch", &[("content-type", "application/json")], body).await;
    let mut answered = 0;
    while answered < many {
        let part = within("an answer", answer.body_mut().frame()).await.expect("more answers").unwrap();
        answered += part.into_data().unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
    }
}
