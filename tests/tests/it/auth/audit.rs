//! The audit log of a real server: who asked for what, and what came of it. (etcd has none.)

use std::fs;
use std::path::PathBuf;

use http::Method;
use keyport_tests::Server;
use keyport_tests::http::b64;
use keyport_tests::wait::eventually;
use serde_json::{Value, json};

use super::{DENIED, Realm};

async fn lines(path: &PathBuf, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    eventually("the lines are written", async || {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        enough(&lines).then_some(lines)
    })
    .await
}

#[tokio::test]
async fn it_says_who_asked_for_what_and_how_it_went() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let Some(server) = ({
        let builder = Server::builder();
        let is_etcd = Server::start().is_etcd();
        (!is_etcd).then(|| builder.args([format!("--audit-log={}", path.display())]).start())
    }) else {
        return;
    };
    let realm = Realm::on(server).await;
    let (root, reader) = (realm.token("root").await, realm.token("reader").await);
    let canary = "canary-value";
    realm.done(&root, "/v3/kv/put", json!({ "key": b64("k/1"), "value": b64(canary) })).await;
    realm.done(&reader, "/v3/kv/range", json!({ "key": b64("k/"), "range_end": b64("k0") })).await;
    let txn = json!({
        "compare": [{ "key": b64("k/1") }],
        "success": [{ "requestPut": { "key": b64("k/2"), "value": b64(canary) } }],
    });
    assert_eq!(realm.refusal(&reader, "/v3/kv/txn", txn).await, DENIED);
    realm.refusal("bad", "/v3/kv/range", json!({ "key": b64("a") })).await;
    realm.refusal("", "/v3/auth/authenticate", json!({ "name": "reader", "password": canary })).await;
    realm.first(&reader, "/v3/watch", &json!({ "create_request": { "key": b64("z") } })).await;
    let events = realm.http.get_stream("/v3/watch?key=a", &[("authorization", &reader)]).await;
    assert_eq!(events.status(), 200);
    realm.done(&root, "/v3/maintenance/defragment", json!({})).await;
    realm.done(&root, "/v3/auth/user/changepw", json!({ "name": "writer", "password": canary })).await;
    assert_eq!(realm.http.send(Method::GET, "/health", &[], "").await.status, 200);

    let last = |lines: &[Value]| lines.iter().any(|line| line["call"] == "/etcdserverpb.Auth/UserChangePassword");
    let lines = lines(&path, last).await;
    let by = |call: &str, user: Value| {
        let mut found = lines.iter().filter(|line| line["call"] == call && line["user"] == user);
        found.next_back().unwrap_or_else(|| panic!("nothing of {call} by {user} in {lines:#?}")).clone()
    };
    let put = by("/etcdserverpb.KV/Put", json!("root"));
    assert_eq!(
        (&put["code"], &put["keys"], &put["from"]),
        (&json!("OK"), &json!([{ "key": "k/1" }]), &json!("127.0.0.1"))
    );
    assert_eq!(put["revision"], 2);
    let range = by("/etcdserverpb.KV/Range", json!("reader"));
    assert_eq!((&range["code"], &range["keys"]), (&json!("OK"), &json!([{ "key": "k/", "range_end": "k0" }])));
    let txn = by("/etcdserverpb.KV/Txn", json!("reader"));
    assert_eq!(
        (&txn["code"], &txn["keys"]),
        (&json!("PermissionDenied"), &json!([{ "key": "k/1" }, { "key": "k/2" }]))
    );
    assert_eq!(by("/etcdserverpb.KV/Range", Value::Null)["code"], "Unauthenticated");
    assert_eq!(by("/etcdserverpb.Auth/Authenticate", json!("reader"))["code"], "InvalidArgument");
    let watch = lines
        .iter()
        .find(|line| line["call"] == "/etcdserverpb.Watch/Watch" && line["keys"] == json!([{ "key": "z" }]));
    assert_eq!(watch.unwrap()["code"], "PermissionDenied");
    assert_eq!(by("GET /v3/watch", json!("reader"))["keys"], json!([{ "key": "a" }]));
    assert_eq!(by("/etcdserverpb.Maintenance/Defragment", json!("root"))["code"], "OK");
    assert!(lines.iter().all(|line| line["call"] != "GET /health"));
    // What was written, and what anybody said to be known by, stays out.
    let text = fs::read_to_string(&path).unwrap();
    for secret in [canary, &b64(canary), &*root, &*reader, "root's"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
