//! Levels of keys: pages of one revision, and all of it as lines.

use http::Method;
use keyport_tests::http::Answer;
use serde_json::{Value, json};

use super::{Store, number, problem};

impl Store {
    async fn list(&self, query: &str) -> Answer {
        self.http.get(&format!("/v3/keys?{query}")).await
    }

    async fn lines(&self, query: &str) -> Vec<Value> {
        let accept = [("accept", "application/x-ndjson")];
        let answer = self.http.send(Method::GET, &format!("/v3/keys?{query}"), &accept, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-ndjson"));
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn fill(&self, keys: &[&str]) {
        for key in keys {
            assert_eq!(self.put(key, format!("value of {key}")).await.status, 201);
        }
    }
}

/// What a list shows, keys and levels, in the order of names.
fn names(list: &Value) -> Vec<String> {
    let of = |list: &Value, name: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    let mut names = [of(&list["keys"], "key"), of(&list["prefixes"], "prefix")].concat();
    names.sort();
    names
}

#[tokio::test]
async fn a_level_is_like_a_folder() {
    let store = Store::start();
    let empty = store.list("").await;
    assert_eq!(empty.json(), json!({"prefix": "", "revision": "1", "keys": [], "prefixes": []}));
    store.fill(&["app/db", "app/users/ada", "app/users/bob", "app/zoo", "apple", "b", "app%2F%FF"]).await;
    assert_eq!(names(&store.list("").await.json()), ["app/", "apple", "b"]);
    let app = store.list("prefix=app/&counts").await;
    assert_eq!(app.header("keyport-revision"), "8");
    let app = app.json();
    assert_eq!(app["prefixes"], json!([{"prefix": "app/users/", "count": "2"}]));
    let first = &app["keys"][0];
    assert_eq!((&first["key"], &first["value"]), (&json!("app/db"), &json!("value of app/db")));
    assert_eq!((number(first, "mod_revision"), number(first, "version")), (2, 1));
    assert_eq!(app["keys"][2]["key_b64"], "YXBwL/8=", "what is no text is base64");
    assert_eq!(names(&store.list("prefix=app").await.json()), ["app/", "apple"]);
    assert_eq!(names(&store.list("prefix=app/u&separator=d").await.json()), ["app/users/ad", "app/users/bob"]);
    let all = store.list("prefix=app/users&recursive&keys_only").await.json();
    assert_eq!(names(&all), ["app/users/ada", "app/users/bob"]);
    assert!(all["keys"][0]["value"].is_null());
    assert_eq!(number(&all["keys"][0], "size"), 22);
    assert_eq!(names(&store.list("rev=3").await.json()), ["app/"], "as it was");
    assert_eq!(store.list("prefix_b64=YXBwL3U").await.json()["prefix"], "app/u");
}

#[tokio::test]
async fn pages_are_of_one_revision() {
    let store = Store::start();
    let keys: Vec<String> = (0..25).map(|n| format!("k{n:02}")).collect();
    store.fill(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut page = store.list("prefix=k&limit=10&keys_only").await;
    let mut seen = names(&page.json());
    assert_eq!(seen.len(), 10);
    // What happens meanwhile is not in it.
    store.put("k05x", "new").await;
    store.put("k99", "new").await;
    store.delete("k15").await;
    while !page.header("link").is_empty() {
        let next = page.header("link").to_owned();
        let path = next.strip_prefix('<').unwrap().split('>').next().unwrap();
        assert!(next.ends_with("; rel=\"next\""));
        let after = page.json()["next"].as_str().unwrap().to_owned();
        assert_eq!(path, format!("/v3/keys?prefix=k&limit=10&keys_only&after={after}"));
        page = store.http.get(path).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.json()["revision"], "26", "that of the first page");
        seen.extend(names(&page.json()));
    }
    assert_eq!(seen, keys);
    let cursor = store.list("prefix=k&limit=10").await.json()["next"].as_str().unwrap().to_owned();
    for (query, detail) in [
        (format!("prefix=k0&after={cursor}"), format!("after={cursor} is not the next of this list")),
        (format!("prefix=k&recursive&after={cursor}"), format!("after={cursor} is not the next of this list")),
        (format!("prefix=k&after={}", cursor.replace('A', "B")), String::new()),
        ("prefix=k&after=".into(), "after= is not the next of this list".into()),
        ("prefix=k&after=%00".into(), "after=\0 is not the next of this list".into()),
        (format!("prefix=k&rev=3&after={cursor}"), "after is of another revision than rev".into()),
        ("limit=0".into(), "limit=0 is not a number from 1 to 10000".into()),
        ("limit=10001".into(), "limit=10001 is not a number from 1 to 10000".into()),
        ("separator=".into(), "an empty separator ends no level; recursive lists all keys".into()),
        ("prefx=k".into(), "unknown parameter prefx".into()),
        ("rev=1000".into(), "etcdserver: mvcc: required revision is a future revision".into()),
    ] {
        let (status, found) = problem(&store.list(&query).await);
        assert_eq!(status, 400, "{query}");
        assert!(detail.is_empty() || found == detail, "{query}: {found}");
    }
    store.put("large/1", vec![0; 300_000]).await;
    store.put("large/2", vec![0; 300_000]).await;
    store.put("large/3", vec![0; 300_000]).await;
    assert_eq!(names(&store.list("prefix=large/&keys_only").await.json()).len(), 3, "values are not counted");
    assert_eq!(names(&store.list("prefix=large/").await.json()).len(), 1, "they are where they are shown");
    store.http.call("/v3/kv/compaction", json!({"revision": "29"})).await;
    let (status, _) = problem(&store.list("rev=26").await);
    assert_eq!(status, 410);
}

#[tokio::test]
async fn everything_comes_as_lines() {
    let store = Store::start();
    let mut c = store.server.grpc().await;
    for n in 0..2500 {
        c.put(&format!("k/{}/{n:04}", n % 3), "x").await;
    }
    let all = store.lines("recursive&prefix=k/").await;
    assert_eq!(all.len(), 2500);
    assert!(all.is_sorted_by(|a, b| a["key"].as_str() < b["key"].as_str()));
    assert_eq!(all[0]["value"], "x");
    let levels = store.lines("prefix=k/&counts").await;
    assert_eq!(
        levels,
        [
            json!({"prefix": "k/0/", "count": "834"}),
            json!({"prefix": "k/1/", "count": "833"}),
            json!({"prefix": "k/2/", "count": "833"})
        ]
    );
    let head = store.http.send(Method::HEAD, "/v3/keys?recursive", &[("accept", "application/x-ndjson")], "").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let refused = store.http.send(Method::GET, "/v3/keys?limit=x", &[("accept", "application/x-ndjson")], "").await;
    assert_eq!(problem(&refused).0, 400);
}
