//! Passwords said with the request itself, and passwords said in vain. (etcd knows neither.)

use http::Method;
use keyport_api::etcdserverpb::AuthenticateRequest;
use keyport_api::etcdserverpb::auth_client::AuthClient;
use keyport_tests::Server;
use keyport_tests::grpc::{get, refused};
use keyport_tests::http::{Answer, b64};
use keyport_tests::wait::eventually;
use serde_json::json;
use tonic::Code;
use tonic::metadata::MetadataValue;

use super::{DENIED, Realm};

async fn realm() -> Option<Realm> {
    let realm = Realm::start().await;
    (!realm.server.is_etcd()).then_some(realm)
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", b64(format!("{user}:{password}")))
}

impl Realm {
    async fn range(&self, key: &str, credentials: &str) -> Answer {
        self.ask(credentials, "/v3/kv/range", json!({ "key": b64(key) })).await
    }

    /// How much was done aside: nothing else than hashing, where nothing is large.
    async fn hashed(&self) -> u64 {
        let text = self.http.get("/metrics").await.text();
        let line = text.lines().find(|line| line.starts_with("keyport_bulk_work_total ")).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn a_user_and_a_password_do_instead_of_a_token() {
    let Some(realm) = realm().await else { return };
    let reader = basic("reader", "reader's");
    let before = realm.hashed().await;
    for _ in 0..5 {
        assert_eq!(realm.range("k/1", &reader).await.status, 200);
        let answer = realm.range("z", &reader).await;
        assert_eq!((answer.status.as_u16(), answer.json()["message"].clone()), (403, json!(DENIED)));
        let events = realm.http.get_stream("/v3/watch?key=k/1", &[("authorization", &reader)]).await;
        assert_eq!(events.status(), 200);
    }
    assert_eq!(realm.hashed().await - before, 1, "what was right a moment ago is not hashed again");

    // Of who is refused nothing is said.
    for (user, password) in [("reader", "other"), ("reader", ""), ("nosuch", "reader's"), ("cert", "x"), ("", "")] {
        let answer = realm.range("k/1", &basic(user, password)).await;
        assert_eq!(answer.status, 401, "{user}");
        assert_eq!(answer.json()["message"], "keyport: invalid user name or password", "{user}");
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"keyport\", charset=\"UTF-8\"", "{user}");
    }
    // What is no user and password is a token that nobody has.
    for credentials in ["Basic", "Basic !", &format!("Basic {}", b64("reader")), "basic2 x"] {
        assert_eq!(realm.range("k/1", credentials).await.json()["message"], super::NO_TOKEN, "{credentials}");
    }
    let mut grpc = realm.server.grpc().await;
    let mut request = tonic::Request::new(get("k/1"));
    request.metadata_mut().insert("authorization", MetadataValue::try_from(&reader).unwrap());
    let answer = grpc.kv.range(request).await;
    refused(answer, Code::Unauthenticated, super::NO_TOKEN);
}

#[tokio::test]
async fn it_ends_with_the_password() {
    let Some(realm) = realm().await else { return };
    let (root, reader) = (basic("root", "root's"), basic("reader", "reader's"));
    assert_eq!(realm.range("a", &reader).await.status, 200);
    realm.done(&root, "/v3/auth/role/revoke", json!({ "role": "reads", "key": b64("a") })).await;
    assert_eq!(realm.range("a", &reader).await.status, 403);
    assert_eq!(realm.range("k/1", &reader).await.status, 200);
    realm.done(&root, "/v3/auth/user/changepw", json!({ "name": "reader", "password": "other" })).await;
    assert_eq!(realm.range("k/1", &reader).await.status, 401);
    assert_eq!(realm.range("k/1", &basic("reader", "other")).await.status, 200);
    realm.done(&root, "/v3/auth/user/delete", json!({ "name": "reader" })).await;
    assert_eq!(realm.range("k/1", &basic("reader", "other")).await.status, 401);
    // Without authentication nobody looks at it.
    realm.done(&root, "/v3/auth/disable", json!({})).await;
    assert_eq!(realm.range("z", &basic("nosuch", "x")).await.status, 200);
}

#[tokio::test]
async fn who_says_nothing_of_himself_is_asked_to_where_http_is_all_there_is() {
    let Some(realm) = realm().await else { return };
    let open = async |headers: &[(&str, &str)]| realm.http.send(Method::GET, "/v3/watch?key=k/1", headers, "").await;
    let challenges = |answer: &Answer| {
        let values = answer.headers.get_all("www-authenticate").iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (bearer, basic) = ("Bearer realm=\"keyport\"", "Basic realm=\"keyport\", charset=\"UTF-8\"");
    let answer = open(&[]).await;
    assert_eq!((answer.status.as_u16(), challenges(&answer)), (401, vec![bearer.to_owned(), basic.to_owned()]));
    assert_eq!(answer.json()["status"], 401);
    // A browser would ask whoever sits before it, whatever the page thinks.
    let answer = open(&[("sec-fetch-mode", "cors")]).await;
    assert_eq!((answer.status.as_u16(), challenges(&answer)), (401, vec![bearer.to_owned()]));
    // On etcd's own paths it is as etcd has it.
    let answer = realm.range("k/1", "").await;
    assert_eq!((answer.status.as_u16(), challenges(&answer)), (400, vec![]));
    let answer = realm.range("k/1", "other").await;
    assert_eq!(challenges(&answer), [format!("{bearer}, error=\"invalid_token\"")]);
}

/// Whoever guesses is stopped; who guesses for one user does not keep him from being another, and the others from anything.
#[tokio::test]
async fn guesses_are_counted() {
    // Cheap to hash, so that all of it takes less time than one place needs to come back.
    let realm = Realm::on(Server::builder().args(["--bcrypt-cost=4"]).start()).await;
    if realm.server.is_etcd() {
        return;
    }
    let reader = realm.token("reader").await;
    let guess = async |i: usize| match i % 2 {
        0 => realm.ask("", "/v3/auth/authenticate", json!({ "name": "root", "password": "?" })).await,
        _ => realm.range("a", &basic("root", "?")).await,
    };
    let mut failed = 0;
    let stopped = loop {
        let answer = guess(failed).await;
        if answer.status == 429 {
            break answer;
        }
        failed += 1;
        assert!(failed < 50, "nobody counts");
    };
    // Some places come back while it runs.
    assert!((10..20).contains(&failed), "{failed}");
    assert_eq!((stopped.header("retry-after"), stopped.json()["code"].clone()), ("10", json!(8)));
    let mut auth = AuthClient::new(realm.server.grpc().await.channel);
    let login = |name: &str, password: &str| AuthenticateRequest { name: name.into(), password: password.into() };
    // In the time that this takes a place may have come back: then it is looked at, and the next is not.
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(auth.authenticate(login("root", "?")).await.unwrap_err().code());
    }
    assert!(answers.contains(&Code::ResourceExhausted), "{answers:?}");
    auth.authenticate(login("writer", "writer's")).await.unwrap();
    assert_eq!(realm.range("a", &reader).await.status, 200);
    assert_eq!(realm.range("a", &basic("reader", "reader's")).await.status, 200);
}

impl Realm {
    /// Cheap to hash, so that all of a test takes less time than a place needs to come back.
    async fn cheap() -> Option<Realm> {
        let realm = Realm::on(Server::builder().args(["--bcrypt-cost=4"]).start()).await;
        (!realm.server.is_etcd()).then_some(realm)
    }

    async fn log_in(&self, user: &str, password: &str) -> u16 {
        let body = json!({ "name": user, "password": password });
        self.ask("", "/v3/auth/authenticate", body).await.status.as_u16()
    }

    async fn refused_by(&self, why: &str) -> u64 {
        let text = self.http.get("/metrics").await.text();
        let series = format!("keyport_logins_refused_total{{by=\"{why}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    }
}

/// Who has no password is not told apart from who is not there: not by how often he may be tried, nor by the work that it takes.
#[tokio::test]
async fn users_without_a_password_are_counted_like_everybody() {
    let Some(realm) = Realm::cheap().await else { return };
    let session = async |name: &str| {
        let body = json!({ "name": name, "password": "x" }).to_string();
        realm.http.send(Method::POST, "/v3/session", &[], body).await.status.as_u16()
    };
    for user in ["cert", "nosuch"] {
        let before = realm.hashed().await;
        let mut failed = 0;
        while session(user).await == 401 {
            failed += 1;
            assert!(failed < 50, "{user}: nobody counts");
        }
        assert!((10..20).contains(&failed), "{user}: {failed}");
        assert_eq!(realm.hashed().await - before, failed, "{user}: each takes a hash");
        // In the time that this takes a place may have come back.
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(realm.range("a", &basic(user, "x")).await.status.as_u16());
        }
        assert!(answers.contains(&429), "{user}: {answers:?}");
    }
}

/// Many may be behind one address: a proxy, a router, this machine.
#[tokio::test]
async fn nobody_is_kept_out_by_what_others_say_in_vain_from_his_address() {
    let Some(realm) = Realm::cheap().await else { return };
    assert_eq!(realm.log_in("writer", "writer's").await, 200);
    for i in 0..100 {
        let status = realm.log_in(&format!("nosuch{i}"), "?").await;
        assert!(status != 200 && status != 429, "{status}");
    }
    // Whoever has failed has to wait now; though some places come back while this runs.
    let mut answers = Vec::new();
    while !answers.contains(&429) {
        assert!(answers.len() < 20, "{answers:?}");
        answers.push(realm.log_in("nosuch99", "?").await);
    }
    assert!(realm.refused_by("password").await >= 100);
    assert_eq!(realm.refused_by("user").await + realm.refused_by("address").await, 1);
    // Who has logged in before, and who has not.
    for user in ["writer", "root", "reader"] {
        assert_eq!(realm.log_in(user, &format!("{user}'s")).await, 200, "{user}");
    }
    assert_eq!(realm.range("a", &basic("reader", "reader's")).await.status, 200);
    eventually("a line of the log tells of it", async || realm.server.log().contains("refused a login").then_some(()))
        .await;
}

/// What is kept of who fails does not depend on what he calls himself, nor does who waits hold it.
#[tokio::test]
async fn names_as_long_as_requests_are_not_kept() {
    let Some(realm) = Realm::cheap().await else { return };
    let name = |i: usize| format!("{i}{}", "n".repeat(1_400_000));
    // Once, for what is kept by whatever reads it.
    for i in 0..10 {
        realm.log_in(&name(i), "?").await;
    }
    let before = realm.server.memory_mib("VmRSS");
    for i in 0..100 {
        realm.log_in(&name(i), "?").await;
    }
    let now = realm.server.memory_mib("VmRSS");
    assert!(now < before + 64, "{before} MiB became {now} MiB");
}

#[tokio::test]
async fn tokens_that_nobody_has_are_counted() {
    let Some(realm) = realm().await else { return };
    for token in ["abcdefghijklmnop.1", "abcdefghijklmnop.5000", "x"] {
        assert_eq!(realm.range("a", token).await.status, 401, "{token}");
    }
    let text = realm.http.get("/metrics").await.text();
    assert!(text.contains("\nkeyport_tokens_refused_total 3\n"), "{text}");
}
