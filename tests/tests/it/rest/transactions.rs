//! Several operations at once.

use http::Method;
use keyport_tests::http::Answer;
use serde_json::{Value, json};

use super::{Store, problem};

impl Store {
    async fn transaction(&self, wish: Value) -> Answer {
        self.http.send(Method::POST, "/v3/transactions", &[], wish.to_string()).await
    }

    async fn batch(&self, operations: Value) -> Answer {
        self.http.send(Method::POST, "/v3/keys:batch", &[], json!({"operations": operations}).to_string()).await
    }
}

#[tokio::test]
async fn one_branch_is_done_whole_at_one_revision() {
    let store = Store::start();
    store.put("stock", "3").await;
    let order = json!({
        "if": [{"key": "stock", "value": "3"}, {"key": "orders/7", "exists": false}],
        "then": [{"put": {"key": "stock", "value": "2", "prev": true}}, {"put": {"key": "orders/7", "value": "one"}}],
        "else": [{"get": {"key": "stock"}}, {"get": {"prefix": "orders/", "count_only": true}}],
    });
    let done = store.transaction(order.clone()).await;
    assert_eq!((done.status.as_u16(), done.header("keyport-revision")), (200, "3"));
    let was = json!({"key": "stock", "value": "3", "create_revision": "2", "mod_revision": "2", "version": "1"});
    assert_eq!(
        done.json(),
        json!({"succeeded": true, "revision": "3", "results": [
            {"put": {"key": "stock", "create_revision": "2", "mod_revision": "3", "version": "2", "prev_kv": was}},
            {"put": {"key": "orders/7", "create_revision": "3", "mod_revision": "3", "version": "1"}},
        ]})
    );
    let now = json!({"key": "stock", "value": "2", "create_revision": "2", "mod_revision": "3", "version": "2"});
    let mut expected = json!({"succeeded": false, "revision": "3", "results": [
        {"get": {"keys": [now], "count": "1"}}, {"get": {"keys": [], "count": "1"}},
    ]});
    assert_eq!(store.transaction(order.clone()).await.json(), expected);
    // Within another one, which has no revision of its own.
    let nested = store.transaction(json!({"then": [{"transaction": order}]})).await.json();
    expected.as_object_mut().unwrap().remove("revision");
    assert_eq!(nested, json!({"succeeded": true, "revision": "3", "results": [{"transaction": expected}]}));
}

#[tokio::test]
async fn bytes_ranges_and_leases() {
    let store = Store::start();
    let id = store.http.send(Method::POST, "/v3/leases", &[], r#"{"ttl":600,"id":7}"#).await.json()["id"].clone();
    let done = store
        .transaction(json!({"then": [
            {"put": {"key_b64": "/w==", "value_b64": "AP8=", "lease": id}},
            {"put": {"key": "a/1", "value": ""}},
            {"put": {"key": "a/2", "value": "x"}},
        ]}))
        .await;
    assert_eq!(done.json()["results"][0]["put"]["lease"], "7");
    let found = store
        .transaction(json!({
            "if": [{"prefix": "a/", "op": ">", "version": 0}, {"key_b64": "_w", "lease": "7"}],
            "then": [
                {"get": {"prefix": "a/", "limit": 1, "keys_only": true}},
                {"get": {"key_b64": "/w"}},
                {"get": {"prefix": "", "rev": 1}},
                {"delete": {"prefix": "a/", "prev": true}},
                {"delete": {"key": "none"}},
            ],
        }))
        .await
        .json();
    let results = &found["results"];
    assert_eq!((&results[0]["get"]["count"], &results[0]["get"]["more"]), (&json!("2"), &json!(true)), "{found}");
    let outline = |key: &str, more: Value| {
        let mut outline = json!({"key": key, "create_revision": "2", "mod_revision": "2", "version": "1"});
        outline.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        outline
    };
    assert_eq!(results[0]["get"]["keys"], json!([outline("a/1", json!({"size": "0"}))]));
    let keys = store.transaction(json!({"then": [{"transaction": {"then": [
        {"get": {"key_b64": "/w", "keys_only": true}}, {"get": {"key": "none", "keys_only": true}},
    ]}}]}));
    let keys = keys.await.json()["results"][0]["transaction"]["results"].clone();
    let (mut bound, listed) =
        (outline("", json!({"lease": "7", "size": "2"})), store.http.get("/v3/keys?keys_only").await);
    let bound_too = bound.as_object_mut().unwrap();
    bound_too.remove("key");
    bound_too.insert("key_b64".to_owned(), json!("/w=="));
    assert_eq!(keys, json!([{"get": {"keys": [bound], "count": "1"}}, {"get": {"keys": [], "count": "0"}}]));
    assert_eq!(listed.json()["keys"], keys[0]["get"]["keys"], "as a list has it");
    assert_eq!(results[1]["get"]["keys"][0]["value_b64"], "AP8=");
    assert_eq!(results[2]["get"], json!({"keys": [], "count": "0"}));
    let deleted = &results[3]["delete"];
    assert_eq!((&deleted["deleted"], &deleted["prev_kvs"][1]["value"]), (&json!("2"), &json!("x")));
    assert_eq!(results[4], json!({"delete": {"deleted": "0"}}));
}

#[tokio::test]
async fn a_batch_is_larger_and_one_revision() {
    let store = Store::start();
    store.put("old/1", "x").await;
    let puts = (0..999).map(|n| json!({"put": {"key": format!("k{n}"), "value": n.to_string()}}));
    let all: Vec<_> = puts.chain([json!({"delete": {"prefix": "old/"}})]).collect();
    let done = store.batch(json!(all)).await;
    let document = done.json();
    assert_eq!((done.status.as_u16(), &document["revision"]), (200, &json!("3")));
    let results = document["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[998]["put"]["mod_revision"]), (1000, &json!("3")));
    assert_eq!(results[999], json!({"delete": {"deleted": "1"}}));
    assert_eq!(store.get("k500").await.text(), "500");
    let more: Vec<_> = (0..1001).map(|n| json!({"put": {"key": format!("k{n}"), "value": ""}})).collect();
    assert_eq!(
        problem(&store.batch(json!(more)).await),
        (400, "etcdserver: too many operations in txn request".into())
    );
    assert_eq!(store.get("k500").await.text(), "500");
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let store = Store::start();
    let put = |key: &str| json!({"put": {"key": key, "value": "x"}});
    for (refused, status, part) in [
        (store.transaction(json!({"then": [put("a"), put("a")]})).await, 400, "duplicate key"),
        (store.transaction(json!({"then": [put("a"), put("")]})).await, 400, "key is not provided"),
        (store.transaction(json!({"then": vec![json!({"get": {"key": "a"}}); 129]})).await, 400, "too many operations"),
        (store.transaction(json!({"then": [put("a"), {"put": {"key": "b"}}]})).await, 400, "a put has no value"),
        (store.transaction(json!({"then": [put("a"), {"set": {}}]})).await, 400, "unknown variant `set`"),
        (store.transaction(json!({"when": []})).await, 400, "unknown field `when`"),
        (
            store.transaction(json!({"then": [put("a"), {"put": {"key": "b", "value": "", "lease": 9}}]})).await,
            404,
            "requested lease not found",
        ),
        (store.transaction(json!({"then": [{"get": {"key": "a", "rev": 99}}]})).await, 400, "future revision"),
        (store.batch(json!([])).await, 400, "operations is empty"),
        (store.batch(json!([put("a"), {"get": {"key": "a"}}])).await, 400, "unknown variant `get`"),
        (store.http.send(Method::POST, "/v3/transactions", &[], "{").await, 400, "EOF"),
        (store.http.get("/v3/transactions").await, 405, "this resource takes POST"),
    ] {
        let (found, detail) = problem(&refused);
        assert!(found == status && detail.contains(part), "{found} {detail}");
    }
    let deep = |levels| (1..levels).fold(json!({}), |inner, _| json!({"then": [{"transaction": inner}]}));
    assert_eq!(store.transaction(deep(40)).await.status, 200);
    for (levels, part) in
        [(41, "more than 40 transactions are within one another"), (60, "too deep within one another")]
    {
        let (status, detail) = problem(&store.transaction(deep(levels)).await);
        assert!(status == 400 && detail.contains(part), "{levels}: {detail}");
    }
    let deeper = r#"{"then":[{"transaction":"#.repeat(5000);
    assert_eq!(problem(&store.http.send(Method::POST, "/v3/transactions", &[], deeper).await).0, 400);
    assert_eq!(store.get("a").await.header("keyport-revision"), "1");
}

/// A body may be as large as a request, and what is larger is refused by an answer.
#[tokio::test]
async fn large_ones() {
    let store = Store::start();
    let value = "x".repeat(700_000);
    let done = store.batch(json!([{"put": {"key": "a", "value": value}}, {"put": {"key": "b", "value": value}}])).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let both = store.transaction(json!({"then": [{"get": {"prefix": ""}}]})).await.json();
    assert_eq!(both["results"][0]["get"]["keys"][1]["value"].as_str().unwrap().len(), 700_000);
    let third = store.batch(json!([{"put": {"key": "a", "value": "x".repeat(4_000_000)}}])).await;
    assert_eq!(problem(&third).0, 413);
    let many = store.batch(json!([{"put": {"key": "a", "value": "x".repeat(1_800_000)}}])).await;
    assert_eq!(problem(&many).0, 413, "{}", many.text());
}
