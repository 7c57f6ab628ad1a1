//! The audit log of a real server: who asked for what, and what came of it. (etcd has none.)

mod bounds;
mod changes;
mod given_up;
mod resources;
mod sockets;

use std::fs;

use http::Method;
use keyport_tests::http::b64;
use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{DENIED, Realm};

/// The log of a server, which does not outlive it.
struct Log {
    dir: TempDir,
}

impl Log {
    fn start() -> (Server, Log) {
        let log = Log { dir: tempfile::tempdir().unwrap() };
        let flag = format!("--audit-log={}", log.dir.path().join("audit.log").display());
        (Server::of(Flavor::Keyport).args([flag, "--bcrypt-cost=4".to_owned()]).start(), log)
    }

    /// Of a server with users and roles.
    async fn realm() -> (Realm, Log) {
        let (server, log) = Log::start();
        (Realm::on(server).await, log)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.dir.path().join("audit.log")).unwrap_or_default()
    }

    /// The lines that are written.
    fn lines(&self) -> Vec<Value> {
        self.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What is found in them, once it is there.
    async fn once<T>(&self, what: &str, found: impl Fn(&[Value]) -> Option<T>) -> T {
        eventually(what, async || found(&self.lines())).await
    }
}

#[tokio::test]
async fn it_says_who_asked_for_what_and_how_it_went() {
    let (realm, log) = Log::realm().await;
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
    let lines = log.once("the last line", |lines| last(lines).then(|| lines.to_vec())).await;
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
        (&json!("PermissionDenied"), &json!([{ "key": "k/2" }, { "key": "k/1" }]))
    );
    let stranger = by("/etcdserverpb.KV/Range", Value::Null);
    assert_eq!((&stranger["code"], &stranger["keys"]), (&json!("Unauthenticated"), &json!([{ "key": "a" }])));
    assert_eq!(stranger["error"], super::NO_TOKEN);
    assert_eq!(by("/etcdserverpb.Auth/Authenticate", json!("reader"))["code"], "InvalidArgument");
    let watch = lines
        .iter()
        .find(|line| line["call"] == "/etcdserverpb.Watch/Watch" && line["keys"] == json!([{ "key": "z" }]));
    assert_eq!(watch.unwrap()["code"], "PermissionDenied");
    assert_eq!(by("GET /v3/watch", json!("reader"))["keys"], json!([{ "key": "a" }]));
    assert_eq!(by("/etcdserverpb.Maintenance/Defragment", json!("root"))["code"], "OK");
    assert!(lines.iter().all(|line| line["call"] != "GET /health"));
    // What was written, and what anybody said to be known by, stays out.
    let text = log.text();
    for secret in [canary, &b64(canary), &*root, &*reader, "root's"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_refusal_has_its_words_whatever_was_spoken() {
    let (server, log) = Log::start();
    let body = json!({ "name": "a", "password": "b" }).to_string();
    for http in [server.http(), server.http2()] {
        assert_eq!(http.refused("/v3/auth/authenticate", body.clone()).await.0, 400);
    }
    server.http().refused("/v3/lease/revoke", r#"{"ID":9}"#).await;
    let lines = log.once("three lines", |lines| (lines.len() == 3).then(|| lines.to_vec())).await;
    for line in &lines[..2] {
        assert_eq!(
            (&line["user"], &line["code"], &line["error"]),
            (&json!("a"), &json!("FailedPrecondition"), &json!("etcdserver: authentication is not enabled"))
        );
    }
    assert_eq!(
        (&lines[2]["about"], &lines[2]["error"]),
        (&json!({ "lease": "9" }), &json!("etcdserver: requested lease not found"))
    );
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let out = Server::of(Flavor::Keyport).args(["--audit-log=/nonexistent/x"]).run_to_end();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && text.contains("--audit-log: cannot open /nonexistent/x: No such file"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_has_written_all_lines() {
    let (mut server, log) = Log::start();
    let mut c = server.grpc().await;
    for n in 0..50 {
        c.put(&format!("k/{n}"), "v").await;
    }
    server.stop();
    assert_eq!(log.lines().len(), 50);
}
