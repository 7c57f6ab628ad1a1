//! Parts of values, keys that get their names, and whole prefixes.

use http::Method;
use keyport_tests::http::Answer;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Store, number, problem};

const MERGE: &str = "application/merge-patch+json";
const PATCH: &str = "application/json-patch+json";

impl Store {
    async fn patch(&self, key: &str, media_type: &str, body: impl Into<bytes::Bytes>) -> Answer {
        self.ask(Method::PATCH, key, &[("content-type", media_type)], body).await
    }

    async fn json(&self, key: &str) -> Value {
        self.get(key).await.json()
    }
}

#[tokio::test]
async fn documents_are_patched_where_they_are() {
    let store = Store::start();
    let made = store.patch("app", MERGE, r#"{"db":{"host":"one","port":1},"x":null}"#).await;
    assert_eq!((made.status.as_u16(), made.header("location"), made.header("etag")), (201, "/v3/keys/app", "\"2\""));
    assert_eq!(made.json()["value"], r#"{"db":{"host":"one","port":1}}"#, "what it is now is in the answer");
    assert_eq!(store.patch("app", MERGE, r#"{"db":{"port":null}}"#).await.status, 200);
    assert_eq!(store.json("app").await, json!({"db": {"host": "one"}}));
    let operations = r#"[{"op":"test","path":"/db/host","value":"one"},{"op":"add","path":"/tags","value":[1]}]"#;
    let patched =
        store.ask(Method::PATCH, "app?cas=3", &[("content-type", PATCH), ("prefer", "return=minimal")], operations);
    let patched = patched.await;
    assert_eq!((patched.status.as_u16(), patched.header("etag")), (204, "\"4\""));
    assert_eq!(store.json("app").await, json!({"db": {"host": "one"}, "tags": [1]}));
    let numbers = store.patch("app?cas=4", PATCH, r#"[{"op":"test","path":"/tags","value":[1.0]}]"#).await;
    assert_eq!(numbers.status, 200, "numbers are what they amount to");
    for (key, media_type, body, status) in [
        ("app", PATCH, r#"[{"op":"test","path":"/tags","value":[2]},{"op":"remove","path":"/db"}]"#, 409),
        ("app", PATCH, r#"[{"op":"remove","path":"/tags"},{"op":"remove","path":"/none"}]"#, 409),
        ("app", PATCH, r#"{"op":"remove"}"#, 400),
        ("app", PATCH, "[{]", 400),
        ("app", MERGE, "{", 400),
        ("app", MERGE, r#"{"n":18446744073709551616}"#, 400),
        ("app", "application/json", "{}", 415),
        ("app", "", "{}", 415),
        ("app?cas=3", MERGE, "{}", 412),
        ("none?update", MERGE, "{}", 412),
        ("none", PATCH, "[]", 409),
        ("app?increment=1", "", "", 409),
        ("app?increment=1", "", "1", 400),
        ("app?increment=x", "", "", 400),
        ("app?increment=1&append", "", "", 400),
    ] {
        let refused = store.patch(key, media_type, body).await;
        assert_eq!(problem(&refused).0, status, "{key} {body}");
        assert_eq!(!refused.header("accept-patch").is_empty(), status == 415);
    }
    assert_eq!(store.get("app").await.header("keyport-revision"), "5", "nothing of what was refused was done");
    store.put("text", "no document").await;
    assert_eq!(problem(&store.patch("text", MERGE, "{}").await).0, 409);
    let doubling = format!("[{}]", vec![r#"{"op":"copy","from":"/db","path":"/db/-"}"#; 40].join(","));
    store.put("bomb", r#"{"db":["0123456789"]}"#).await;
    assert_eq!(problem(&store.patch("bomb", PATCH, doubling).await).0, 413);
}

#[tokio::test]
async fn what_is_patched_keeps_its_lease() {
    let store = Store::start();
    let made = store.put("n?ttl=600", "1").await.json();
    let counted = store.patch("n?increment=2&prev", "", "").await.json();
    assert_eq!((&counted["value"], &counted["prev_kv"]["value"]), (&json!("3"), &json!("1")));
    assert_eq!(number(&counted, "lease"), number(&made, "lease"));
    let longer = store.patch("n?append", "text/plain", ", and more").await.json();
    assert_eq!((&longer["value"], number(&longer, "lease")), (&json!("3, and more"), number(&made, "lease")));
    assert_eq!(store.patch("fresh?increment=-7", "", "").await.json()["value"], "-7");
    assert_eq!(store.patch("bytes?append", "", &[0xff, 0][..]).await.json()["value_b64"], "/wA=");
}

/// 16 clients, each with its own part of the same value.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_many_add_up() {
    const CLIENTS: usize = 16;
    const EACH: usize = 15;
    let store = Store::start();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let http = store.server.http();
        clients.spawn(async move {
            for n in 0..EACH {
                let body = json!({ format!("c{client}"): n }).to_string();
                let merged = http.send(Method::PATCH, "/v3/keys/doc", &[("content-type", MERGE)], body).await;
                assert!(merged.status.is_success(), "{}", merged.text());
                let counted = http.send(Method::PATCH, "/v3/keys/count?increment=1", &[], "").await;
                assert!(counted.status.is_success(), "{}", counted.text());
            }
        });
    }
    clients.join_all().await;
    assert_eq!(store.get("count").await.text(), (CLIENTS * EACH).to_string());
    let document = store.json("doc").await;
    assert_eq!(document.as_object().unwrap().len(), CLIENTS);
    assert!(document.as_object().unwrap().values().all(|n| *n == EACH - 1));
}

/// Who reads them in order reads all that came before.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_added_in_order() {
    const CLIENTS: usize = 8;
    const EACH: usize = 10;
    let store = Store::start();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let http = store.server.http();
        clients.spawn(async move {
            let mut places = Vec::new();
            for n in 0..EACH {
                let added = http.send(Method::POST, "/v3/keys/queue/", &[], format!("{client}-{n}")).await;
                assert_eq!(added.status, 201, "{}", added.text());
                let document = added.json();
                places.push((number(&document, "create_revision"), document["key"].as_str().unwrap().to_owned()));
                assert_eq!(added.header("location"), format!("/v3/keys/{}", places.last().unwrap().1));
            }
            places
        });
    }
    let mut places: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
    places.sort();
    assert!(places.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "by when they came, and by name");
    let listed = store.http.get("/v3/keys?prefix=queue/&limit=1000").await.json();
    let keys: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|kv| kv["key"].as_str().unwrap()).collect();
    assert_eq!(keys, places.iter().map(|(_, key)| key).collect::<Vec<_>>());
    // What is taken out makes no room for a number that was there.
    let last = places.pop().unwrap().1;
    store.http.send(Method::DELETE, "/v3/keys?prefix=queue/", &[], "").await;
    let after = store.ask(Method::POST, "queue/", &[], "x").await.json();
    assert!(after["key"].as_str().unwrap() > last.as_str());
    let brief = store.ask(Method::POST, "queue/?ttl=600", &[], "x").await.json();
    assert_eq!((number(&brief, "ttl"), number(&brief, "lease") > 0), (600, true));
}

#[tokio::test]
async fn a_prefix_goes_at_once() {
    let store = Store::start();
    for key in ["a/1", "a/2", "ab", "b"] {
        store.put(key, "x").await;
    }
    let delete = async |query: &str| store.http.send(Method::DELETE, &format!("/v3/keys{query}"), &[], "").await;
    let gone = delete("?prefix=a/").await;
    assert_eq!(
        (gone.status.as_u16(), gone.json(), gone.header("keyport-revision")),
        (200, json!({"deleted": "2"}), "6")
    );
    for query in ["", "?prefix=", "?prefix=b&all", "?prefix=b&recursive", "?after=x"] {
        assert_eq!(problem(&delete(query).await).0, 400, "{query}");
    }
    assert_eq!(delete("?prefix_b64=YWI").await.json(), json!({"deleted": "1"}));
    assert_eq!(delete("?all=true").await.json(), json!({"deleted": "1"}));
    assert_eq!(delete("?all=true").await.json(), json!({"deleted": "0"}));
}
