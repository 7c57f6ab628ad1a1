//! Tokens and permissions through time: what ends them, and what they outlive.

use std::time::Duration;

use keyport_tests::Server;
use keyport_tests::http::b64;
use serde_json::json;

use super::{DENIED, NO_NAME, NO_TOKEN, Realm};

#[tokio::test]
async fn who_is_in_charge_stays() {
    let server = Server::start();
    let http = server.http();
    let message = |answer: (u16, serde_json::Value)| answer.1["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(message(http.refused("/v3/auth/enable", "{}").await), "etcdserver: root user does not exist");
    http.call("/v3/auth/user/add", json!({ "name": "root", "password": "root's" })).await;
    assert_eq!(message(http.refused("/v3/auth/enable", "{}").await), "etcdserver: root user does not have root role");
    assert_eq!(http.call("/v3/auth/status", json!({})).await["authRevision"], "2");
    http.call("/v3/auth/user/delete", json!({ "name": "root" })).await;

    let realm = Realm::on(server).await;
    let root = realm.token("root").await;
    for (path, body) in [
        ("/v3/auth/user/delete", json!({ "name": "root" })),
        ("/v3/auth/user/revoke", json!({ "name": "root", "role": "root" })),
        ("/v3/auth/role/delete", json!({ "role": "root" })),
    ] {
        assert_eq!(realm.refusal(&root, path, body).await, "etcdserver: invalid auth management", "{path}");
    }
    let status = realm.done("", "/v3/auth/status", json!({})).await;
    assert_eq!((&status["enabled"], &status["authRevision"]), (&json!(true), &json!("16")));
    assert_eq!(realm.refusal("", "/v3/auth/disable", json!({})).await, NO_NAME);
    realm.done(&root, "/v3/auth/disable", json!({})).await;
    realm.done("", "/v3/kv/put", json!({ "key": b64("anything") })).await;
    // What is wrong with a token does not matter any more.
    realm.done("bad", "/v3/kv/put", json!({ "key": b64("anything") })).await;
    realm.done("", "/v3/auth/user/list", json!({})).await;
}

#[tokio::test]
async fn a_token_lives_as_long_as_what_it_stands_for() {
    let realm = Realm::start().await;
    let root = realm.token("root").await;
    let mine = json!({ "key": b64("k/1") });
    let reader = realm.token("reader").await;
    realm.done(&reader, "/v3/kv/range", mine.clone()).await;
    realm.done(&format!("Bearer {reader}"), "/v3/kv/range", mine.clone()).await;
    assert_eq!(
        realm.refusal(&reader, "/v3/kv/range", json!({ "key": b64("k/"), "range_end": b64("k1") })).await,
        DENIED
    );

    // It goes on with other permissions,
    realm
        .done(&root, "/v3/auth/role/revoke", json!({ "role": "reads", "key": b64("k/"), "range_end": b64("k0") }))
        .await;
    assert_eq!(realm.refusal(&reader, "/v3/kv/range", mine.clone()).await, DENIED);
    realm.done(&reader, "/v3/kv/range", json!({ "key": b64("a") })).await;
    realm.done(&root, "/v3/auth/user/grant", json!({ "user": "reader", "role": "writes" })).await;
    realm.done(&reader, "/v3/kv/put", mine.clone()).await;
    realm.done(&root, "/v3/auth/role/delete", json!({ "role": "writes" })).await;
    assert_eq!(realm.refusal(&reader, "/v3/kv/put", mine.clone()).await, DENIED);
    // and ends with the password,
    realm.done(&root, "/v3/auth/user/changepw", json!({ "name": "reader", "password": "other" })).await;
    assert_eq!(realm.refusal(&reader, "/v3/kv/range", json!({ "key": b64("a") })).await, NO_TOKEN);
    let authenticate = "/v3/auth/authenticate";
    let refused = realm.refusal("", authenticate, json!({ "name": "reader", "password": "reader's" })).await;
    assert_eq!(refused, "etcdserver: authentication failed, invalid user ID or password");
    let answer = realm.done("", authenticate, json!({ "name": "reader", "password": "other" })).await;
    let reader = answer["token"].as_str().unwrap();
    realm.done(reader, "/v3/kv/range", json!({ "key": b64("a") })).await;
    // with the user,
    realm.done(&root, "/v3/auth/user/delete", json!({ "name": "reader" })).await;
    assert_eq!(realm.refusal(reader, "/v3/kv/range", json!({ "key": b64("a") })).await, NO_TOKEN);
    // and with authentication.
    realm.done(&root, "/v3/auth/disable", json!({})).await;
    realm.done("", "/v3/auth/enable", json!({})).await;
    assert_eq!(realm.refusal(&root, "/v3/kv/range", json!({ "key": b64("a") })).await, NO_TOKEN);
}

#[tokio::test]
async fn a_token_that_nobody_uses_ends() {
    let realm = Realm::on(Server::builder().args(["--auth-token-ttl=1"]).start()).await;
    let token = realm.token("reader").await;
    // To look would be to use it: only time ends it, and more of it does no harm.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(realm.refusal(&token, "/v3/kv/range", json!({ "key": b64("a") })).await, NO_TOKEN);
}

/// Passwords and permissions are in the database; what was given out for a password is not.
#[tokio::test]
async fn users_outlive_a_crash() {
    let mut realm = Realm::start().await;
    let root = realm.token("root").await;
    realm.done(&root, "/v3/auth/user/add", json!({ "name": "new", "password": "new's" })).await;
    let before = realm.done("", "/v3/auth/status", json!({})).await["authRevision"].clone();
    realm.server.kill();
    realm.server.restart();
    realm.http = realm.server.http();
    let status = realm.done("", "/v3/auth/status", json!({})).await;
    assert_eq!((&status["enabled"], &status["authRevision"]), (&json!(true), &before));
    let writer = realm.token("writer").await;
    realm.done(&writer, "/v3/kv/put", json!({ "key": b64("k/1"), "prev_kv": true })).await;
    assert_eq!(realm.refusal(&writer, "/v3/kv/put", json!({ "key": b64("a") })).await, DENIED);
    let new = realm.token("new").await;
    assert_eq!(realm.refusal(&new, "/v3/kv/range", json!({ "key": b64("a") })).await, DENIED);
}

/// What a transaction looks at or changes counts, in both branches and in transactions inside; and so do the keys of a lease.
#[tokio::test]
async fn nothing_leads_around_a_permission() {
    let realm = Realm::start().await;
    let (root, reader, writer) = (realm.token("root").await, realm.token("reader").await, realm.token("writer").await);
    realm.done(&root, "/v3/lease/grant", json!({ "ID": 7, "TTL": 10_000 })).await;
    realm.done(&root, "/v3/kv/put", json!({ "key": b64("secret"), "lease": 7 })).await;
    let put = |key: &str| json!({ "requestPut": { "key": b64(key) } });
    let range = |key: &str, end: &str| json!({ "requestRange": { "key": b64(key), "range_end": b64(end) } });
    for (token, txn) in [
        (&reader, json!({ "success": [put("k/1")] })),
        (&writer, json!({ "success": [put("k/1")], "failure": [put("secret")] })),
        (&writer, json!({ "success": [{ "requestTxn": { "failure": [put("secret")] } }] })),
        (&writer, json!({ "compare": [{ "key": b64("secret") }], "success": [put("k/1")] })),
        (&writer, json!({ "compare": [{ "key": b64("k/"), "range_end": b64("k1") }] })),
        (&writer, json!({ "success": [range("k/", "\0")] })),
        (&writer, json!({ "success": [range("secret", "k0")] })),
        (&writer, json!({ "success": [{ "requestPut": { "key": b64("k/1"), "lease": 7 } }] })),
        (&writer, json!({ "success": [{ "requestDeleteRange": { "key": b64("k/"), "range_end": b64("\0") } }] })),
    ] {
        assert_eq!(realm.refusal(token, "/v3/kv/txn", txn.clone()).await, DENIED, "{txn}");
    }
    for (path, body) in [
        ("/v3/lease/revoke", json!({ "ID": 7 })),
        ("/v3/lease/timetolive", json!({ "ID": 7, "keys": true })),
        ("/v3/lease/leases", json!({})),
        ("/v3/kv/put", json!({ "key": b64("k/1"), "lease": 7 })),
    ] {
        assert_eq!(realm.refusal(&writer, path, body).await, DENIED, "{path}");
    }
    realm.done(&writer, "/v3/lease/timetolive", json!({ "ID": 7 })).await;
    // What needs nothing is anybody's.
    realm.done("", "/v3/kv/txn", json!({})).await;
    realm.done(&writer, "/v3/kv/txn", json!({ "success": [put("k/1"), range("k/", "k0")] })).await;

    // To watch from a key on is not to watch that key.
    realm.done(&root, "/v3/auth/role/grant", json!({ "name": "reads", "perm": { "key": b64("one") } })).await;
    let from_key = json!({ "create_request": { "key": b64("one"), "range_end": b64("\0") } });
    let answer = realm.first(&reader, "/v3/watch", &from_key).await;
    let reason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
    assert_eq!((&answer["result"]["canceled"], &answer["result"]["cancel_reason"]), (&json!(true), &json!(reason)));
    if !realm.server.is_etcd() {
        for (query, status) in [("key=a", 200), ("prefix=k/", 200), ("prefix=k", 403), ("key=a&key=secret", 403)] {
            let headers = [("authorization", &*reader)];
            let answer = realm.http.get_stream(&format!("/v3/watch?{query}&initial=true"), &headers).await;
            assert_eq!(answer.status(), status, "{query}");
        }
    }
}

/// A lock or an election without a lease grants one, but to nobody who may not have the place.
#[tokio::test]
async fn a_place_that_is_refused_leaves_no_lease() {
    let realm = Realm::start().await;
    let (root, reader) = (realm.token("root").await, realm.token("reader").await);
    let refused = [("", NO_NAME), (&*reader, DENIED)];
    for path in ["/v3/lock/lock", "/v3/election/campaign"] {
        for (token, expected) in refused {
            assert_eq!(realm.refusal(token, path, json!({ "name": b64("k/line") })).await, expected, "{path}");
        }
    }
    let leases = realm.done(&root, "/v3/lease/leases", json!({})).await;
    assert!(leases.get("leases").is_none(), "{leases}");
    let writer = realm.token("writer").await;
    realm.done(&writer, "/v3/lock/lock", json!({ "name": b64("k/line") })).await;
    let leases = realm.done(&root, "/v3/lease/leases", json!({})).await;
    assert_eq!(leases["leases"].as_array().map(Vec::len), Some(1), "{leases}");
}

/// What the cluster does of its own accord needs nobody's permission.
#[tokio::test]
async fn leases_end_and_health_is_told() {
    let realm = Realm::start().await;
    let root = realm.token("root").await;
    realm.lease(&root).await;
    realm.goes_on(&root).await;
}
