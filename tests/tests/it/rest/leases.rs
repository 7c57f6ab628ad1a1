//! Leases as resources.

use http::Method;
use keyport_tests::http::Answer;
use serde_json::{Value, json};

use super::{Store, number, problem};

impl Store {
    async fn lease(&self, method: Method, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.http.send(method, &format!("/v3/leases{path}"), &[], body).await
    }
}

#[tokio::test]
async fn a_lease_is_granted_kept_and_ended() {
    let store = Store::start();
    let granted = store.lease(Method::POST, "", json!({"ttl": 600})).await;
    let id = number(&granted.json(), "id");
    assert_eq!((granted.status.as_u16(), number(&granted.json(), "ttl")), (201, 600));
    assert_eq!(granted.header("location"), format!("/v3/leases/{id}"));
    let wished = store.lease(Method::POST, "", json!({"ttl": "60", "id": "7"})).await;
    assert_eq!((wished.status.as_u16(), wished.json()), (201, json!({"id": "7", "ttl": "60"})));
    assert_eq!(problem(&store.lease(Method::POST, "", json!({"ttl": 60, "id": 7})).await).0, 409);
    let listed = store.lease(Method::GET, "", Value::Null).await.json();
    assert_eq!(listed, json!({"leases": [{"id": "7"}, {"id": id.to_string()}]}));
    store.put("a?lease=7", "x").await;
    store.put("%FF?lease=0x7", "x").await;
    let shown = store.lease(Method::GET, "/7?keys", Value::Null).await.json();
    assert!((1..=60).contains(&number(&shown, "ttl")) && number(&shown, "granted_ttl") == 60);
    assert_eq!(shown["keys"], json!([{"key": "a"}, {"key_b64": "/w=="}]));
    assert!(store.lease(Method::GET, "/0x7", Value::Null).await.json()["keys"].is_null());
    let renewed = store.lease(Method::POST, "/7/keepalive", Value::Null).await;
    assert_eq!((renewed.status.as_u16(), renewed.json()), (200, json!({"id": "7", "ttl": "60"})));
    let ended = store.lease(Method::DELETE, "/7", Value::Null).await;
    assert_eq!((ended.status.as_u16(), ended.header("keyport-revision")), (204, "4"));
    assert_eq!(store.get("a").await.status, 404);
    for (method, path) in [(Method::GET, "/7"), (Method::POST, "/7/keepalive"), (Method::DELETE, "/7")] {
        let gone = store.lease(method.clone(), path, Value::Null).await;
        assert_eq!(problem(&gone), (404, "etcdserver: requested lease not found".into()), "{method}");
    }
    for (method, path, body, status) in [
        (Method::POST, "", json!({"ttl": 0}), 400),
        (Method::POST, "", json!({"ttl": 1.5}), 400),
        (Method::POST, "", json!({"ttl": 1, "id": -1}), 400),
        (Method::POST, "", json!({"TTL": 1}), 400),
        (Method::POST, "", Value::Null, 400),
        (Method::GET, "/x", Value::Null, 400),
        (Method::GET, "/0", Value::Null, 400),
        (Method::GET, "/7?kees", Value::Null, 400),
        (Method::PUT, "/7", Value::Null, 405),
        (Method::GET, "/7/keepalive", Value::Null, 405),
    ] {
        let refused = store.lease(method.clone(), path, body.clone()).await;
        assert_eq!(problem(&refused).0, status, "{method} {path} {body}");
    }
}
