//! Users and roles in a cluster: what one member has answered for holds on every other one at once.

use http::Method;
use keyport_tests::Cluster;
use keyport_tests::http::{Http, b64};
use serde_json::{Value, json};

const ROUNDS: usize = 20;

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

#[tokio::test]
async fn what_one_member_grants_every_other_one_knows() {
    let cluster = Cluster::of(3).args(["--bcrypt-cost=4"]).start().await;
    if cluster.is_etcd() {
        // It knows a token that another member has given out only a moment later, and refuses it until then.
        return;
    }
    let members: Vec<Http> = cluster.members.iter().map(|member| Http::new(member.addr())).collect();
    for (path, body) in [
        ("user/add", json!({ "name": "root", "password": "root" })),
        ("user/grant", json!({ "user": "root", "role": "root" })),
        ("user/add", json!({ "name": "alice", "password": "alice" })),
        ("role/add", json!({ "name": "keys" })),
        ("user/grant", json!({ "user": "alice", "role": "keys" })),
        ("enable", json!({})),
    ] {
        members[0].call(&format!("/v3/auth/{path}"), body).await;
    }
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
