//! `Idempotency-Key`: what is sent again is done once, wherever it comes in, and whatever happened in between.

use http::Method;
use keyport_tests::http::{Answer, Http, b64};
use keyport_tests::{Cluster, Server};
use serde_json::json;
use tokio::task::JoinSet;

use super::{number, problem};

async fn add(http: &Http, prefix: &str, name: &str, value: &str) -> Answer {
    let named = [("idempotency-key", name)];
    http.send(Method::POST, &format!("/v3/keys/{prefix}"), &named, value.to_owned()).await
}

/// The keys behind a prefix.
async fn keys(http: &Http, prefix: &str) -> Vec<String> {
    let list = http.get(&format!("/v3/keys?prefix={prefix}&keys_only&recursive")).await.json();
    list["keys"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn is_replay(first: &Answer, again: &Answer) {
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201), "{} {}", first.text(), again.text());
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    assert_eq!(again.text(), first.text());
    for name in ["location", "etag", "keyport-revision"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

#[tokio::test]
async fn a_request_that_comes_again_is_answered_again() {
    let mut server = Server::start();
    let http = server.http();
    let first = add(&http, "jobs/", "\"a 1\"", "one").await;
    is_replay(&first, &add(&http, "jobs/", "a 1", "one").await);
    http.send(Method::DELETE, first.header("location"), &[], "").await;
    is_replay(&first, &add(&http, "jobs/", "\"a 1\"", "one").await);
    assert_eq!(keys(&http, "jobs/").await, [""; 0], "it was done, and what it did is gone");

    let held = add(&http, "jobs/?ttl=600", "b", "two").await;
    is_replay(&held, &add(&http, "jobs/?ttl=600", "b", "two").await);
    assert_eq!(held.json()["ttl"], "600");
    for (prefix, value) in [("jobs/", "two"), ("jobs/?ttl=601", "two"), ("jobs/?ttl=600", "three")] {
        let refused = add(&http, prefix, "b", value).await;
        assert_eq!(problem(&refused).0, 422, "{prefix} {value}");
        assert_eq!(refused.json()["type"], "/problems/idempotency-key-reused");
    }
    assert_eq!(add(&http, "others/", "b", "three").await.header("idempotent-replayed"), "", "of another prefix");

    server.kill();
    server.restart();
    let http = server.http();
    is_replay(&held, &add(&http, "jobs/?ttl=600", "b", "two").await);
    assert_eq!(keys(&http, "jobs/").await, [held.json()["key"].as_str().unwrap()]);

    // What is remembered goes by itself, and so do the leases that were not needed.
    let records = http.get("/v3/keys?prefix=__jobs/once/&recursive").await.json();
    let records = records["keys"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    for record in records {
        let lease = http.get(&format!("/v3/leases/{}", number(record, "lease"))).await.json();
        assert_eq!(lease["granted_ttl"], "3600");
    }
    assert_eq!(http.get("/v3/leases").await.json()["leases"].as_array().unwrap().len(), 4, "three records and a key");
}

#[tokio::test]
async fn names_have_a_form() {
    let server = Server::start();
    let http = server.http();
    for name in ["", "\"\"", &"x".repeat(256)] {
        assert_eq!(problem(&add(&http, "jobs/", name, "x").await).0, 400, "{name}");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    assert_eq!(problem(&http.send(Method::POST, "/v3/keys/jobs/", &twice, "x").await).0, 400);
    let named = [("idempotency-key", "a")];
    for (path, body) in [("leases", r#"{"ttl":60}"#), ("locks/l", ""), ("elections/e", "")] {
        let refused = http.send(Method::POST, &format!("/v3/{path}"), &named, body).await;
        assert_eq!(problem(&refused).0, 400, "it would be done twice, and says so: {path}");
    }
    let own = http.send(Method::POST, "/v3/leases", &named, r#"{"ttl":60,"id":7}"#).await;
    assert_eq!(own.status, 201, "its id keeps it from being done twice");
    assert_eq!(keys(&http, "").await, [""; 0]);
}

/// What is added to a value is added once.
#[tokio::test]
async fn a_patch_that_comes_again_is_applied_once() {
    let mut server = Server::start();
    let http = server.http();
    let patch = async |http: &Http, query: &str, name: &str, body: &str| {
        http.send(Method::PATCH, &format!("/v3/keys/n?{query}"), &[("idempotency-key", name)], body.to_owned()).await
    };
    let first = patch(&http, "increment=5", "a", "").await;
    is_replay(&first, &patch(&http, "increment=5", "a", "").await);
    assert_eq!(first.json()["value"], "5");
    let second = patch(&http, "increment=2", "b", "").await;
    let text = patch(&http, "append", "c", " and more").await;
    assert_eq!((text.status.as_u16(), &text.json()["value"]), (200, &json!("7 and more")));
    for (query, name, body) in [("increment=6", "a", ""), ("append", "a", "5"), ("append", "c", " and less")] {
        assert_eq!(problem(&patch(&http, query, name, body).await).0, 422, "{query} {name}");
    }
    server.kill();
    server.restart();
    let http = server.http();
    let again = patch(&http, "increment=2", "b", "").await;
    assert_eq!((again.header("idempotent-replayed"), again.text()), ("true", second.text()), "as it was then");
    assert_eq!(http.get("/v3/keys/n").await.text(), "7 and more");
    // What it was for counts once: the key has another revision by now.
    let guarded = patch(&http, &format!("append&cas={}", number(&text.json(), "mod_revision")), "c", " and more").await;
    assert_eq!((guarded.status.as_u16(), guarded.header("idempotent-replayed")), (200, "true"));

    // What the value was is compacted; what was done is not.
    http.call("/v3/kv/compaction", json!({"revision": number(&text.json(), "mod_revision").to_string()})).await;
    let again = patch(&http, "increment=2", "b", "").await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (200, "true"));
    assert_eq!(again.header("etag"), second.header("etag"));
    assert!(again.json()["value"].is_null() && again.json()["version"] == "2", "{}", again.text());
    // Whoever changes something all the time does not take it for his own.
    let conflict = patch(&http, "increment=1", "d", "").await;
    assert_eq!(problem(&conflict).0, 409);
    assert_eq!(keys(&http, "__n/once/").await.len(), 3, "what was refused is not remembered");
}

/// Many at once, at all members: one key, one sum.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_wherever_it_is_done_once() {
    const CLIENTS: usize = 24;
    let cluster = Cluster::of(3).start().await;
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let http = cluster.members[n % 3].http();
        clients.spawn(async move { add(&http, "jobs/", "the same", "x").await });
    }
    let answers = clients.join_all().await;
    let firsts: Vec<_> = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).collect();
    assert_eq!(firsts.len(), 1);
    for again in answers.iter().filter(|answer| !answer.header("idempotent-replayed").is_empty()) {
        is_replay(firsts[0], again);
    }
    assert_eq!(keys(&cluster.members[0].http(), "jobs/").await.len(), 1);

    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let http = cluster.members[n % 3].http();
        let named = [("idempotency-key", "the same")];
        clients.spawn(async move { http.send(Method::PATCH, "/v3/keys/sum?increment=1", &named, "").await });
    }
    let answers = clients.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.json()["value"] == "1"));
    assert_eq!(cluster.members[0].http().get("/v3/keys/sum").await.text(), "1");
}

/// A name is one's own: nobody hears what another's request did.
#[tokio::test]
async fn each_user_has_names_of_his_own() {
    let server = Server::start();
    let http = server.http();
    http.call("/v3/auth/role/add", json!({ "name": "root" })).await;
    for user in ["root", "alice", "bob"] {
        http.call("/v3/auth/user/add", json!({ "name": user, "password": "x" })).await;
        http.call("/v3/auth/user/grant", json!({ "user": user, "role": "root" })).await;
    }
    http.call("/v3/auth/enable", json!({})).await;
    let add = async |user: &str| {
        let who = format!("Basic {}", b64(format!("{user}:x")));
        let headers = [("idempotency-key", "a"), ("authorization", &*who)];
        http.send(Method::POST, "/v3/keys/jobs/", &headers, "x").await
    };
    let (alice, bob) = (add("alice").await, add("bob").await);
    assert_ne!(alice.header("location"), bob.header("location"));
    is_replay(&alice, &add("alice").await);
}

const PAY: &str = r#"{"if":[{"key":"paid","exists":false}],"then":[{"put":{"key":"paid","value":"1"}}],"else":[{"get":{"key":"paid"}}]}"#;
const BATCH: &str = r#"{"operations":[{"put":{"key":"a","value":"1"}},{"delete":{"prefix":"old/"}}]}"#;

async fn run(http: &Http, path: &str, name: &str, body: &str) -> Answer {
    http.send(Method::POST, path, &[("idempotency-key", name)], body.to_owned()).await
}

#[tokio::test]
async fn a_transaction_and_a_batch_that_come_again_are_done_once() {
    let mut server = Server::start();
    let http = server.http();
    let mut firsts = Vec::new();
    for (path, name, body) in
        [("/v3/transactions", "a", PAY), ("/v3/keys:batch", "b", BATCH), ("/v3/transactions", "c", PAY)]
    {
        let first = run(&http, path, name, body).await;
        assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (200, ""), "{}", first.text());
        assert!(first.json()["results"].is_array());
        firsts.push((path, name, body, first));
    }
    // Which way it went does not depend on what is so by now.
    assert_eq!((&firsts[0].3.json()["succeeded"], &firsts[2].3.json()["succeeded"]), (&json!(true), &json!(false)));
    assert_eq!(firsts[2].3.json()["results"][0]["get"]["keys"][0]["value"], "1");
    http.send(Method::DELETE, "/v3/keys/paid", &[], "").await;
    let revision = http.get("/v3/keys/paid").await.header("keyport-revision").to_owned();
    server.kill();
    server.restart();
    let http = server.http();
    for (path, name, body, first) in &firsts {
        let again = run(&http, path, &format!("\"{name}\""), body).await;
        assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (200, "true"), "{}", again.text());
        assert_eq!(again.header("keyport-revision"), first.header("keyport-revision"));
        let mut wanted = first.json();
        wanted.as_object_mut().unwrap().remove("results");
        assert_eq!(again.json(), wanted);
    }
    assert_eq!(http.get("/v3/keys/paid").await.header("keyport-revision"), revision, "nothing was written");
    for (path, name, body) in
        [("/v3/transactions", "a", r#"{"then":[]}"#), ("/v3/keys:batch", "a", BATCH), ("/v3/transactions", "b", PAY)]
    {
        let reused = run(&http, path, name, body).await;
        assert_eq!(problem(&reused).0, 422, "{path} {name}");
        assert_eq!(reused.json()["type"], "/problems/idempotency-key-reused");
    }
    // What is refused is not remembered: it may be mended, and sent again.
    let refused = run(&http, "/v3/transactions", "d", r#"{"then":[{"put":{"key":"k","value":"","lease":9}}]}"#).await;
    assert_eq!(problem(&refused).0, 404);
    assert_eq!(run(&http, "/v3/transactions", "d", PAY).await.json()["succeeded"], true);
    assert_eq!(problem(&run(&http, "/v3/transactions", "", PAY).await).0, 400);
    let records = http.get("/v3/keys?prefix=__transactions/once/&recursive").await.json();
    let records = records["keys"].as_array().unwrap();
    assert_eq!(records.len(), 4);
    for record in records {
        let lease = http.get(&format!("/v3/leases/{}", number(record, "lease"))).await.json();
        assert_eq!(lease["granted_ttl"], "3600");
    }
    assert_eq!(http.get("/v3/leases").await.json()["leases"].as_array().unwrap().len(), 4, "one for each record");
}

/// It may be as large as without a name.
#[tokio::test]
async fn the_name_takes_no_room() {
    let server = Server::start();
    let http = server.http();
    let puts =
        |count: usize| (0..count).map(|n| json!({"put": {"key": format!("k{n}"), "value": ""}})).collect::<Vec<_>>();
    let most = json!({"then": puts(128)}).to_string();
    assert_eq!(run(&http, "/v3/transactions", "a", &most).await.status, 200);
    let many = json!({"operations": puts(1000)}).to_string();
    assert_eq!(run(&http, "/v3/keys:batch", "b", &many).await.status, 200);
    assert_eq!(
        problem(&run(&http, "/v3/keys:batch", "c", &json!({"operations": puts(1001)}).to_string()).await).0,
        400
    );
}

/// Many at once, at all members: once, and each hears which revision that was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_done_once_whoever_sends_it() {
    const CLIENTS: usize = 24;
    const ADD: &str = r#"{"then":[{"put":{"key":"k","value":"x"}}]}"#;
    let cluster = Cluster::of(3).start().await;
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let http = cluster.members[n % 3].http();
        clients.spawn(async move { run(&http, "/v3/transactions", "the same", ADD).await });
    }
    let answers = clients.join_all().await;
    let firsts = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
    assert_eq!(firsts, 1);
    for answer in &answers {
        assert_eq!(answer.json()["revision"], answers[0].json()["revision"], "{}", answer.text());
    }
    let key = cluster.members[0].http().get("/v3/keys/k").await;
    assert_eq!(
        (key.header("keyport-version"), json!(key.header("keyport-revision"))),
        ("1", answers[0].json()["revision"].clone())
    );
}
