//! Users and roles in a cluster: what one member has answered for holds on every other one at once.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use http::Method;
use keyport_tests::Cluster;
use keyport_tests::http::{Http, b64};
use keyport_tests::wait::eventually;
use serde_json::{Value, json};

use crate::auth::jwt::{Keys, Kind};

const ROUNDS: usize = 20;
/// Of users and roles, one after the other.
const CHANGES: usize = 300;

async fn ask(http: &Http, token: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend((!token.is_empty()).then_some(("authorization", token)));
    let answer = http.send(Method::POST, path, &headers, body.to_string()).await;
    (answer.status.as_u16(), answer.json())
}

async fn token(http: &Http, user: &str) -> String {
    let (status, answer) = ask(http, "", "/v3/auth/authenticate", &json!({ "name": user, "password": user })).await;
    assert_eq!(status, 200, "{answer}");
    answer["token"].as_str().unwrap().to_owned()
}

/// Two users, of whom alice may nothing yet; and authentication on.
async fn alice_and_root(member: &Http) {
    for (path, body) in [
        ("user/add", json!({ "name": "root", "password": "root" })),
        ("user/grant", json!({ "user": "root", "role": "root" })),
        ("user/add", json!({ "name": "alice", "password": "alice" })),
        ("role/add", json!({ "name": "keys" })),
        ("user/grant", json!({ "user": "alice", "role": "keys" })),
        ("enable", json!({})),
    ] {
        member.call(&format!("/v3/auth/{path}"), body).await;
    }
}

#[tokio::test]
async fn what_one_member_grants_every_other_one_knows() {
    let cluster = Cluster::of(3).args(["--bcrypt-cost=4"]).start().await;
    if cluster.is_etcd() {
        // It knows a token that another member has given out only a moment later, and refuses it until then.
        return;
    }
    let members: Vec<Http> = cluster.members.iter().map(|member| Http::new(member.addr())).collect();
    alice_and_root(&members[0]).await;
    for round in 0..ROUNDS {
        let of = |offset: usize| &members[(round + offset) % 3];
        let (alice, root) = (token(of(0), "alice").await, token(of(1), "root").await);
        let key = b64(format!("key{round}"));
        let grant = json!({ "name": "keys", "perm": { "permType": "READWRITE", "key": key } });
        assert_eq!(ask(of(2), &root, "/v3/auth/role/grant", &grant).await.0, 200);
        for member in [of(0), of(1), of(2)] {
            for path in ["/v3/kv/range", "/v3/kv/put"] {
                let (status, answer) = ask(member, &alice, path, &json!({ "key": key })).await;
                assert_eq!(status, 200, "{path} in round {round}: {answer}");
            }
        }
        assert_eq!(ask(of(1), &root, "/v3/auth/role/revoke", &json!({ "role": "keys", "key": key })).await.0, 200);
        for member in [of(0), of(1), of(2)] {
            for path in ["/v3/kv/range", "/v3/kv/put"] {
                let (status, answer) = ask(member, &alice, path, &json!({ "key": key })).await;
                assert_eq!(status, 403, "{path} in round {round}: {answer}");
            }
        }
    }
}

/// Whoever holds a token has nothing to do with what others are granted: no call of his is too old for the log, however far
/// behind the member is that he asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_others_are_no_reason_to_refuse() {
    let cluster = Cluster::of(3).args(["--bcrypt-cost=4"]).start().await;
    if cluster.is_etcd() {
        return; // it has the client repeat what was overtaken
    }
    let members: Vec<Http> = cluster.members.iter().map(|member| Http::new(member.addr())).collect();
    alice_and_root(&members[0]).await;
    let root = token(&members[0], "root").await;
    let own = json!({ "name": "keys", "perm": { "permType": "READWRITE", "key": b64("key") } });
    assert_eq!(ask(&members[0], &root, "/v3/auth/role/grant", &own).await.0, 200);
    assert_eq!(ask(&members[0], &root, "/v3/lease/grant", &json!({ "ID": 7, "TTL": 10_000 })).await.0, 200);
    let changing = AtomicBool::new(true);
    let change = async {
        for round in 0..CHANGES {
            let perm = json!({ "permType": "READ", "key": b64(format!("other{}", round % 5)) });
            let grant = json!({ "name": "keys", "perm": perm });
            assert_eq!(ask(&members[round % 3], &root, "/v3/auth/role/grant", &grant).await.0, 200);
        }
        changing.store(false, SeqCst);
    };
    let call = async |member: &Http| {
        let alice = token(member, "alice").await;
        let txn = json!({ "success": [{ "requestRange": { "key": b64("key") } }] });
        let mut calls = 0;
        while changing.load(SeqCst) {
            for (path, body) in [
                ("/v3/kv/put", json!({ "key": b64("key"), "lease": 7 })),
                ("/v3/kv/range", json!({ "key": b64("key") })),
                ("/v3/kv/txn", txn.clone()),
                ("/v3/lease/timetolive", json!({ "ID": 7, "keys": true })),
                ("/v3/lease/leases", json!({})),
                ("/v3/kv/deleterange", json!({ "key": b64("key") })),
            ] {
                let (status, answer) = ask(member, &alice, path, &body).await;
                assert_eq!(status, 200, "{path} after {calls}: {answer}");
                calls += 1;
            }
        }
        calls
    };
    let ((), one, two, three) = tokio::join!(change, call(&members[0]), call(&members[1]), call(&members[2]));
    assert!(one + two + three > CHANGES, "{one}, {two} and {three} calls beside {CHANGES} changes");
}

/// Signed tokens are good everywhere as soon as they are given out, and old everywhere after the next change. One member has the
/// public key alone, and leads in the end.
#[tokio::test]
async fn what_one_member_signs_every_other_one_knows() {
    let keys = Keys::new();
    keys.pair("p256", Kind::Ec("P-256"));
    let signs = keys.options("ES256", "p256.pem", "");
    let knows = keys.options("ES256", "", "p256.pub");
    let cluster =
        Cluster::of(3).args(["--bcrypt-cost=4"]).args_of(0, [&signs]).args_of(1, [&signs]).args_of(2, [&knows]);
    let cluster = cluster.start().await;
    if cluster.is_etcd() {
        return; // a member that is a little behind takes a new token for one of the future
    }
    let members: Vec<Http> = cluster.members.iter().map(|member| Http::new(member.addr())).collect();
    alice_and_root(&members[0]).await;
    let login = json!({ "name": "alice", "password": "alice" });
    for round in 0..ROUNDS {
        let (signing, changing) = (&members[round % 2], &members[round % 3]);
        let root = token(signing, "root").await;
        let key = json!({ "key": b64(format!("key{round}")) });
        let grant = json!({ "name": "keys", "perm": { "permType": "READWRITE", "key": key["key"] } });
        assert_eq!(ask(changing, &root, "/v3/auth/role/grant", &grant).await.0, 200);
        let alice = token(signing, "alice").await;
        for member in &members {
            for path in ["/v3/kv/range", "/v3/kv/put"] {
                let (status, answer) = ask(member, &alice, path, &key).await;
                assert_eq!(status, 200, "{path} in round {round}: {answer}");
            }
        }
        // What root may does not depend on the age of his token.
        let revoke = json!({ "role": "keys", "key": key["key"] });
        assert_eq!(ask(changing, &root, "/v3/auth/role/revoke", &revoke).await.0, 200);
        for member in &members {
            for path in ["/v3/kv/range", "/v3/kv/put"] {
                let (_, answer) = ask(member, &alice, path, &key).await;
                assert_eq!(answer["message"], "etcdserver: revision of auth store is old", "{path} in round {round}");
            }
        }
        let (_, answer) = ask(&members[2], "", "/v3/auth/authenticate", &login).await;
        assert_eq!(answer["message"], "auth: token signing attempted with verify-only key");
    }

    let root = token(&members[0], "root").await;
    let leader = async || ask(&members[2], &root, "/v3/maintenance/status", &json!({})).await.1["leader"].clone();
    let (id, first) = (cluster.ids(&[2])[0].to_string(), leader().await);
    if first != *id {
        let leading = &members[cluster.index_of(first.as_str().unwrap().parse().unwrap()).unwrap()];
        let target = json!({ "targetID": id });
        let (status, answer) = ask(leading, &root, "/v3/maintenance/transfer-leadership", &target).await;
        assert_eq!(status, 200, "{answer}");
    }
    eventually("the member that knows leads", async || (leader().await == *id).then_some(())).await;
    for (path, body) in
        [("/v3/lease/grant", json!({ "ID": 7, "TTL": 3 })), ("/v3/kv/put", json!({ "key": b64("leased"), "lease": 7 }))]
    {
        assert_eq!(ask(&members[0], &root, path, &body).await.0, 200, "{path}");
    }
    eventually("the lease ends", async || {
        let (_, found) = ask(&members[1], &root, "/v3/kv/range", &json!({ "key": b64("leased") })).await;
        (found.get("header").is_some() && found.get("kvs").is_none()).then_some(())
    })
    .await;
}
