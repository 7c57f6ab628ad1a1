//! Everything that can be changed, and what the line says of it, whatever face it came by.

use std::collections::HashMap;

use http::Method as Verb;
use keyport_api::methods::Method;
use keyport_tests::grpc::frame;
use keyport_tests::http::{b64, unb64};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};

use super::Log;
use crate::auth::Realm;

/// Who asks, and by which face.
struct Root<'a> {
    realm: &'a Realm,
    log: &'a Log,
    token: String,
    grpc: Option<DescriptorPool>,
}

impl Root<'_> {
    /// The line of a call that succeeds, without what is the same everywhere.
    async fn line(&self, method: Method, body: Value) -> Value {
        let of_it = |lines: &[Value]| -> Vec<Value> {
            let by_root = lines.iter().filter(|line| line["user"] == "root" && line["call"] == method.path());
            by_root.cloned().collect()
        };
        let before = of_it(&self.log.lines()).len();
        self.call(method, &body).await;
        let mut line = self.log.once(method.path(), |lines| of_it(lines).get(before).cloned()).await;
        assert_eq!((&line["from"], &line["code"]), (&json!("127.0.0.1"), &json!("OK")), "{line}");
        line.as_object_mut().unwrap().retain(|name, _| !["ts", "user", "from", "call", "code"].contains(&&**name));
        line
    }

    async fn call(&self, method: Method, body: &Value) {
        let Some(pool) = &self.grpc else {
            self.realm.done(&self.token, method.info().route().unwrap(), body.clone()).await;
            return;
        };
        let request = pool.get_message_by_name(method.info().request).unwrap();
        let message = DynamicMessage::deserialize(request, body).unwrap().encode_to_vec();
        let headers = [("content-type", "application/grpc"), ("te", "trailers"), ("token", &*self.token)];
        let answer = self.realm.server.http2().send(Verb::POST, method.path(), &headers, frame(&message)).await;
        assert_eq!(answer.header("grpc-status"), "", "{method:?}: {}", answer.header("grpc-message"));
    }

    /// The only key under a prefix.
    async fn only(&self, prefix: &str, end: &str) -> Value {
        let found =
            self.realm.done(&self.token, "/v3/kv/range", json!({ "key": b64(prefix), "range_end": b64(end) })).await;
        assert_eq!(found["count"], "1");
        found["kvs"][0].clone()
    }
}

fn rows() -> Vec<(Method, Value, Value)> {
    let range = json!({ "key": b64("k"), "range_end": b64("\0") });
    let perm = json!({ "permType": "READWRITE", "key": range["key"], "range_end": range["range_end"] });
    let told = json!({ "key": "k", "from_key": true });
    let put = json!({ "requestPut": { "key": b64("t/1"), "value": b64("canary") } });
    vec![
        (Method::UserAdd, json!({ "name": "u", "password": "canary" }), json!({ "user": "u" })),
        (
            Method::UserAdd,
            json!({ "name": "v", "options": { "no_password": true } }),
            json!({ "user": "v", "no_password": true }),
        ),
        (Method::UserChangePassword, json!({ "name": "u", "password": "canary" }), json!({ "user": "u" })),
        (Method::RoleAdd, json!({ "name": "r" }), json!({ "role": "r" })),
        (
            Method::RoleGrantPermission,
            json!({ "name": "r", "perm": perm }),
            json!({ "role": "r", "permission": { "type": "READWRITE", "key": "k", "from_key": true } }),
        ),
        (Method::UserGrantRole, json!({ "user": "u", "role": "root" }), json!({ "user": "u", "role": "root" })),
        (Method::UserRevokeRole, json!({ "name": "u", "role": "root" }), json!({ "user": "u", "role": "root" })),
        (
            Method::RoleRevokePermission,
            json!({ "role": "r", "key": range["key"], "range_end": range["range_end"] }),
            json!({ "role": "r", "permission": told }),
        ),
        (Method::RoleDelete, json!({ "role": "r" }), json!({ "role": "r" })),
        (Method::UserDelete, json!({ "name": "u" }), json!({ "user": "u" })),
        (Method::LeaseGrant, json!({ "ID": "255", "TTL": "100" }), json!({ "lease": "ff", "ttl": 100 })),
        (
            Method::Put,
            json!({ "key": b64("k/1"), "value": b64("canary"), "lease": "255" }),
            json!({ "keys": [{ "key": "k/1" }], "about": { "lease": "ff" }, "revision": 2 }),
        ),
        (
            Method::LeaseRevoke,
            json!({ "ID": "255" }),
            json!({ "keys": [{ "key": "k/1" }], "about": { "lease": "ff" }, "revision": 3 }),
        ),
        (
            Method::Txn,
            json!({ "compare": [{ "key": b64("t/0") }], "success": [put] }),
            json!({ "keys": [{ "key": "t/1" }, { "key": "t/0" }], "revision": 4 }),
        ),
        (
            Method::DeleteRange,
            json!({ "key": b64("t/"), "range_end": b64("t0") }),
            json!({ "keys": [{ "key": "t/", "range_end": "t0" }], "revision": 5 }),
        ),
        (Method::Compact, json!({ "revision": "3" }), json!({ "compact_revision": 3 })),
        (
            Method::Alarm,
            json!({ "action": "DEACTIVATE", "memberID": "255", "alarm": "NOSPACE" }),
            json!({ "action": "DEACTIVATE", "member": "ff", "alarm": "NOSPACE" }),
        ),
        (Method::Downgrade, json!({ "action": "CANCEL" }), json!({ "action": "CANCEL", "version": "" })),
        (Method::Defragment, json!({}), json!({})),
    ]
}

async fn whatever_is_changed(grpc: Option<DescriptorPool>) {
    let (realm, log) = Log::realm().await;
    let token = realm.token("root").await;
    let root = Root { realm: &realm, log: &log, token, grpc };
    for (method, body, wanted) in rows() {
        let mut line = root.line(method, body).await;
        let is_whole = wanted.get("revision").is_some() || wanted == json!({});
        let told = if is_whole { line.take() } else { line["about"].take() };
        assert_eq!(told, wanted, "{method:?}");
    }
    locks_and_elections(&root).await;
    members(&root).await;
    let raise = json!({ "action": "ACTIVATE", "memberID": "1", "alarm": "CORRUPT" });
    assert_eq!(root.line(Method::Alarm, raise).await["about"]["action"], "ACTIVATE");
    root.line(Method::AuthDisable, json!({})).await;
    assert!(!log.text().contains("canary") && !log.text().contains(&b64("canary")));
}

async fn locks_and_elections(root: &Root<'_>) {
    let revision = |kv: &Value| kv["create_revision"].as_str().unwrap().parse::<i64>().unwrap();
    let name = |kv: &Value| String::from_utf8(unb64(&kv["key"])).unwrap();
    let line = root.line(Method::Lock, json!({ "name": b64("a/lock") })).await;
    let place = root.only("a/lock/", "a/lock0").await;
    let wanted = json!([{ "key": name(&place) }, { "key": "a/lock/", "range_end": "a/lock0" }]);
    assert_eq!((&line["keys"], &line["revision"]), (&wanted, &json!(revision(&place))));
    // Of a lease that was granted for it.
    assert_eq!(name(&place), format!("a/lock/{}", line["about"]["lease"].as_str().unwrap()));
    let line = root.line(Method::Unlock, json!({ "key": place["key"] })).await;
    assert_eq!(line, json!({ "keys": [{ "key": name(&place) }], "revision": revision(&place) + 1 }));

    let line = root.line(Method::Campaign, json!({ "name": b64("e"), "value": b64("canary") })).await;
    let place = root.only("e/", "e0").await;
    let revision = revision(&place);
    let wanted = json!([{ "key": name(&place) }, { "key": "e/", "range_end": "e0" }]);
    assert_eq!((&line["keys"], &line["revision"]), (&wanted, &json!(revision)));
    let leader = json!({ "name": b64("e"), "key": place["key"], "rev": revision.to_string(), "lease": place["lease"] });
    let line = root.line(Method::Proclaim, json!({ "leader": leader, "value": b64("canary") })).await;
    assert_eq!((&line["keys"], &line["revision"]), (&json!([{ "key": name(&place) }]), &json!(revision + 1)));
    let line = root.line(Method::Resign, json!({ "leader": leader })).await;
    assert_eq!(line, json!({ "keys": [{ "key": name(&place) }], "revision": revision + 2 }));
}

async fn members(root: &Root<'_>) {
    let url = "http://127.0.0.1:1";
    let line = root.line(Method::MemberAdd, json!({ "peerURLs": [url], "isLearner": true })).await;
    let id = line["about"]["member"].as_str().unwrap().to_owned();
    assert_eq!(line, json!({ "about": { "peer_urls": [url], "learner": true, "member": id } }));
    let number = u64::from_str_radix(&id, 16).unwrap().to_string();
    let other = "http://127.0.0.1:2";
    let line = root.line(Method::MemberUpdate, json!({ "ID": number, "peerURLs": [other] })).await;
    assert_eq!(line, json!({ "about": { "peer_urls": [other], "member": id } }));
    let line = root.line(Method::MemberRemove, json!({ "ID": number })).await;
    assert_eq!(line, json!({ "about": { "member": id } }));
}

#[tokio::test]
async fn whatever_is_changed_over_json_is_told() {
    whatever_is_changed(None).await;
}

#[tokio::test]
async fn whatever_is_changed_over_grpc_is_told() {
    whatever_is_changed(Some(DescriptorPool::decode(keyport_api::FILE_DESCRIPTOR_SET).unwrap())).await;
}

#[tokio::test]
async fn a_user_who_changes_his_own_password_is_told() {
    let (realm, log) = Log::realm().await;
    let token = realm.token("reader").await;
    let headers = [("authorization", &*token), ("content-type", "application/json")];
    let body = json!({ "old": "reader's", "new": "canary" }).to_string();
    let answer = realm.http.send(Verb::PUT, "/v3/session/password", &headers, body).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    let is_it = |line: &&Value| line["call"] == "PUT /v3/session/password";
    let line = log.once("the line", |lines| lines.iter().find(is_it).cloned()).await;
    assert_eq!(
        (&line["user"], &line["about"], &line["code"]),
        (&json!("reader"), &json!({ "user": "reader" }), &json!("OK"))
    );
    assert!(!log.text().contains("canary"));
}

#[tokio::test]
async fn who_is_refused_is_told_with_what_he_asked_for() {
    let (realm, log) = Log::realm().await;
    let token = realm.token("reader").await;
    let mut asked: HashMap<&str, usize> = HashMap::new();
    for (method, body, about) in rows() {
        let route = method.info().route().unwrap();
        if method == Method::LeaseGrant || method == Method::LeaseRevoke {
            continue;
        }
        realm.refusal(&token, route, body).await;
        let is_it = |line: &&Value| line["call"] == method.path() && line["user"] == "reader";
        // Some are asked for twice.
        let before = *asked.entry(method.path()).and_modify(|count| *count += 1).or_default();
        let line = log.once(route, |lines| lines.iter().filter(is_it).nth(before).cloned()).await;
        assert_eq!(line["code"], "PermissionDenied", "{line}");
        let wanted = match about.get("revision") {
            Some(_) => about.get("about").unwrap_or(&Value::Null),
            None if about == json!({}) => &Value::Null,
            None => &about,
        };
        assert_eq!(&line["about"], wanted, "{method:?}");
        assert_eq!(line["keys"], about.get("keys").cloned().unwrap_or_default(), "{method:?}");
    }
}
