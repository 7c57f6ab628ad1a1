//! Streams that were opened under other rules than those of now: they end when their caller must not read any more what they
//! tell. (etcd lets them go on.)

use keyport_tests::Server;
use keyport_tests::http::{Lines, b64};
use keyport_tests::sse::EventStream;
use serde_json::{Value, json};

use super::{DENIED, NO_NAME, Realm};

impl Realm {
    /// Takes from the role `reads` all but the key `a`.
    pub(super) async fn narrow(&self, root: &str) {
        let all = json!({ "role": "reads", "key": b64("k/"), "range_end": b64("k0") });
        self.done(root, "/v3/auth/role/revoke", all).await;
    }

    pub(super) async fn watch(&self, token: &str, creates: &[Value]) -> Lines {
        let requests: String =
            creates.iter().map(|create| format!("{}\n", json!({ "create_request": create }))).collect();
        let headers: &[(&str, &str)] = if token.is_empty() { &[] } else { &[("authorization", token)] };
        let mut lines = self.http.stream_with("/v3/watch", headers, requests).await;
        for _ in creates {
            assert_eq!(lines.json().await["result"]["created"], true);
        }
        lines
    }

    pub(super) async fn events(&self, token: &str, query: &str) -> EventStream {
        let headers: &[(&str, &str)] = if token.is_empty() { &[] } else { &[("authorization", token)] };
        let answer = self.http.get_stream(&format!("/v3/watch?{query}"), headers).await;
        assert_eq!(answer.status(), 200, "{query}");
        let mut events = EventStream::over(answer.into_body(), "");
        assert_eq!(events.next().await.unwrap().event, "opened");
        events
    }
}

async fn realm() -> Option<Realm> {
    let realm = Realm::start().await;
    (!realm.server.is_etcd()).then_some(realm)
}

/// The last event, and what it says.
async fn failed(mut events: EventStream) -> Value {
    let event = events.next().await.expect("a last word");
    assert_eq!((&*event.event, events.next().await), ("failed", None));
    serde_json::from_str(&event.data).unwrap()
}

fn canceled(answer: &Value, watch_id: &str, message: &str) {
    let result = &answer["result"];
    let id = result["watch_id"].as_str().unwrap_or("0");
    let reason = result["cancel_reason"].as_str().unwrap_or_default();
    assert!(result["canceled"] == true && id == watch_id && reason.ends_with(message), "{answer}");
}

#[tokio::test]
async fn what_may_not_be_read_any_more_is_told_no_more() {
    let Some(realm) = realm().await else { return };
    let (root, reader) = (realm.token("root").await, realm.token("reader").await);
    let creates = [
        json!({ "key": b64("k/1"), "watch_id": 1 }),
        json!({ "key": b64("a"), "watch_id": 2 }),
        json!({ "key": b64("k/"), "range_end": b64("k0"), "watch_id": 3 }),
    ];
    let mut watch = realm.watch(&reader, &creates).await;
    let (narrow, wide) = (realm.events(&reader, "key=a").await, realm.events(&reader, "prefix=k/").await);
    let put = |key: &str| json!({ "key": b64(key) });
    realm.done(&root, "/v3/kv/put", put("k/1")).await;
    for _ in 0..2 {
        assert_eq!(watch.json().await["result"]["events"][0]["kv"]["key"], b64("k/1"));
    }

    realm.narrow(&root).await;
    let mut ended = [watch.json().await, watch.json().await];
    ended.sort_by_key(|answer| answer["result"]["watch_id"].to_string());
    canceled(&ended[0], "1", DENIED);
    canceled(&ended[1], "3", DENIED);
    realm.done(&root, "/v3/kv/put", put("k/1")).await;
    realm.done(&root, "/v3/kv/put", put("a")).await;
    let answer = watch.json().await;
    assert_eq!(
        (&answer["result"]["watch_id"], &answer["result"]["events"][0]["kv"]["key"]),
        (&"2".into(), &b64("a").into())
    );

    let problem = {
        let mut wide = wide;
        assert_eq!(wide.next().await.unwrap().event, "put");
        failed(wide).await
    };
    assert_eq!((&problem["status"], &problem["detail"]), (&403.into(), &"etcdserver: permission denied".into()));
    let mut narrow = narrow;
    assert_eq!(narrow.next().await.unwrap().event, "put", "who may still read goes on");

    // The user himself.
    realm.done(&root, "/v3/auth/user/delete", json!({ "name": "reader" })).await;
    canceled(&watch.json().await, "2", DENIED);
    assert_eq!(failed(narrow).await["status"], 403);
}

/// With authentication on, what was open to all is not, and who watches an election is no exception.
#[tokio::test]
async fn what_was_begun_before_authentication_ends_with_it() {
    let Some(realm) = realm().await else { return };
    let root = realm.token("root").await;
    realm.done(&root, "/v3/auth/disable", json!({})).await;
    let mut watch = realm.watch("", &[json!({ "key": b64("k/1") })]).await;
    let events = realm.events("", "key=k/1").await;
    realm.done("", "/v3/kv/put", json!({ "key": b64("k/e/1"), "value": b64("elected") })).await;
    let observe = json!({ "name": b64("k/e") });
    let mut observed = realm.http.stream("/v3/election/observe", observe.to_string()).await;
    observed.end();
    assert_eq!(observed.json().await["result"]["kv"]["value"], b64("elected"));

    realm.done("", "/v3/auth/enable", json!({})).await;
    canceled(&watch.json().await, "0", NO_NAME);
    assert_eq!(failed(events).await["detail"], NO_NAME);
    assert_eq!(observed.json().await["error"]["message"], NO_NAME);
}

/// Whoever has a token that ends while he watches is still who he was.
#[tokio::test]
async fn a_watch_outlives_its_token() {
    let realm = Realm::on(Server::builder().args(["--auth-token-ttl=1"]).start()).await;
    if realm.server.is_etcd() {
        return;
    }
    let reader = realm.token("reader").await;
    let mut watch = realm.watch(&reader, &[json!({ "key": b64("k/1") }), json!({ "key": b64("a") })]).await;
    keyport_tests::wait::eventually("the token ends", async || {
        // One that is used lives on.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        (realm.ask(&reader, "/v3/kv/range", json!({ "key": b64("a") })).await.status == 401).then_some(())
    })
    .await;
    let root = realm.token("root").await;
    realm.narrow(&root).await;
    canceled(&watch.json().await, "0", DENIED);
    realm.done(&root, "/v3/kv/put", json!({ "key": b64("a") })).await;
    assert_eq!(watch.json().await["result"]["events"][0]["kv"]["key"], b64("a"));
}
