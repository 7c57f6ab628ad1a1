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

#[tokio::test]
async fn keys_are_found_by_what_is_in_them() {
    let store = Store::start();
    store.fill(&["app/db", "app/web/1", "lib/db", "%FFdb"]).await;
    let found = async |query: &str| names(&store.list(query).await.json());
    for (query, expected) in [
        ("search=db&prefix=app/", &["app/db"][..]),
        ("search=web", &["app/web/1"]),
        ("search=value+of+lib&in=values", &["lib/db"]),
        ("search=value&in=keys", &[]),
        ("search=of+app&in=both", &["app/db", "app/web/1"]),
        ("regex=^(app|lib)/d.$", &["app/db", "lib/db"]),
        ("regex=(?i)WEB", &["app/web/1"]),
        ("regex=of+app/db$&in=values", &["app/db"]),
    ] {
        assert_eq!(found(query).await, expected, "{query}");
    }
    let binary = store.list("search=%FF").await.json();
    assert_eq!(binary["keys"][0]["key_b64"], "/2Ri");
    // By the page; a cursor is good for the search that it was given with.
    let first = store.list("search=db&limit=1").await;
    let next = first.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(names(&first.json()), ["app/db"]);
    assert!(first.header("link").contains("search=db"));
    assert_eq!(found(&format!("search=db&limit=1&after={next}")).await, ["lib/db"]);
    assert_eq!(store.lines("search=db&keys_only").await.len(), 3);
    for query in [
        &*format!("search=d&limit=1&after={next}"),
        "search=a&regex=b",
        "regex=(",
        "regex=a{1000}{1000}",
        "regex=a[ab]{500}c",
        "regex=%FF",
        "in=values",
        "search=a&in=here",
    ] {
        assert_eq!(problem(&store.list(query).await).0, 400, "{query}");
    }
    // A page that looked at enough leads on, empty or not.
    let keys = |from: usize| (from..from + 1000).map(|n| json!({"put": {"key": format!("many/{n:05}"), "value": ""}}));
    for from in (0..25_000).step_by(1000) {
        let batch = json!({"operations": keys(from).collect::<Vec<_>>()}).to_string();
        assert_eq!(store.http.send(Method::POST, "/v3/keys:batch", &[], batch).await.status, 200);
    }
    let first = store.list("prefix=many/&search=24999").await.json();
    assert!(first["keys"] == json!([]) && first["next"].is_string(), "{first}");
    // A machine that is busy may need more pages than two.
    let (mut page, mut seen) = (first, Vec::new());
    while let Some(next) = page["next"].as_str() {
        page = store.list(&format!("prefix=many/&search=24999&after={next}")).await.json();
        seen.extend(names(&page));
    }
    assert_eq!(seen, ["many/24999"]);
    assert_eq!(store.lines("prefix=many/&search=24999").await.len(), 1);
}

#[tokio::test]
async fn a_key_has_a_history_until_it_is_compacted() {
    let store = Store::start();
    for value in ["one", "two"] {
        store.put("k", value).await;
    }
    store.delete("k").await;
    store.put("other", "x").await;
    store.put("k", vec![0xff]).await;
    let history = async |query: &str| store.http.get(&format!("/v3/history/k?{query}")).await;
    let all = history("").await;
    assert_eq!((all.status.as_u16(), all.header("keyport-revision")), (200, "6"));
    let version = |value: &str, created: i64, changed: i64, version: i64| json!({"key": "k", "value": value, "create_revision": created.to_string(), "mod_revision": changed.to_string(), "version": version.to_string()});
    let mut newest = version("", 6, 6, 1);
    newest.as_object_mut().unwrap().remove("value");
    newest["value_b64"] = json!("/w==");
    let deleted = json!({"key": "k", "mod_revision": "4", "deleted": true});
    let versions = [newest, deleted, version("two", 2, 3, 2), version("one", 2, 2, 1)];
    assert_eq!(all.json(), json!({"key": "k", "revision": "6", "compact_revision": "0", "versions": versions}));
    let first = history("limit=2").await;
    assert_eq!((&first.json()["versions"], &first.json()["before"]), (&json!(versions[..2]), &json!("4")));
    assert_eq!(first.header("link"), "</v3/history/k?limit=2&before=4>; rel=\"next\"");
    let second = history("limit=2&before=4").await.json();
    assert_eq!((&second["versions"], second["before"].is_null()), (&json!(versions[2..]), true));
    store.server.grpc().await.compact(4).await;
    let rest = history("").await.json();
    assert_eq!(rest["compact_revision"], "4");
    // What was removed at the very revision may still be said.
    let changes: Vec<_> = rest["versions"].as_array().unwrap().iter().map(|one| number(one, "mod_revision")).collect();
    assert!(changes == [6] || changes == [6, 4], "{rest}");
    assert_eq!(store.http.get("/v3/history/nothing").await.json()["versions"], json!([]));
    for query in ["rev=3", "wait=1s", "limit=0", "limit=1001", "before=0"] {
        assert_eq!(problem(&history(query).await).0, 400, "{query}");
    }
    // Large values end a page early, and nothing is left out.
    for n in 0..6 {
        store.put("large", vec![b'0' + n; 100_000]).await;
    }
    let (mut seen, mut query) = (Vec::new(), String::new());
    loop {
        let page = store.http.get(&format!("/v3/history/large?{query}")).await.json();
        let versions = page["versions"].as_array().unwrap();
        assert!(versions.len() <= 3, "{}", versions.len());
        seen.extend(versions.iter().map(|one| one["value"].as_str().unwrap()[..1].to_owned()));
        match page["before"].as_str() {
            Some(before) => query = format!("before={before}"),
            None => break,
        }
    }
    assert_eq!(seen, ["5", "4", "3", "2", "1", "0"]);
}
