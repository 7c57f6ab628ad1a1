//! What holds for all resources, whoever asks: streams end with the right to them, foreign pages have nothing of a cookie, and a
//! token in the query is for streams alone.

use http::Method as Verb;
use http_body_util::{BodyExt as _, Full};
use keyport_api::error::Error;
use keyport_tests::Server;
use keyport_tests::http::Answer;
use keyport_tests::sse::EventStream;
use keyport_tests::wait::{eventually, within};
use serde_json::Value;

use super::forms::forms;
use super::{listed, resources};
use crate::auth::{DENIED, Realm};

async fn realm_with(args: &[&str]) -> Option<Realm> {
    let realm = Realm::on(Server::builder().args(args).start()).await;
    (!realm.server.is_etcd()).then_some(realm)
}

/// Waits until so many watch.
async fn watched_by(realm: &Realm, count: usize) {
    let wanted = format!("etcd_debugging_mvcc_watcher_total {count}");
    eventually(&wanted, async || {
        let metrics = realm.http.get("/metrics").await.text();
        metrics.lines().any(|line| line == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_may_not_be_read_any_more_is_told_no_more() {
    let Some(realm) = realm_with(&["--bcrypt-cost=4"]).await else { return };
    let (root, reader) = (realm.token("root").await, realm.token("reader").await);
    let by_reader = ("authorization", &*reader);
    let open = async |path: &str, accept: &str| {
        let answer = realm.http.get_stream(path, &[by_reader, ("accept", accept)]).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (200, &accept.parse().unwrap()),
            "{path}"
        );
        answer.into_body()
    };
    let mut streams = Vec::new();
    for path in ["/v3/keys/k/1", "/v3/keys?prefix=k/", "/v3/keys/?key_b64=ay8x&watch"] {
        let mut events = EventStream::over(open(path, "text/event-stream").await, "");
        assert_eq!(events.next().await.unwrap().event, "opened", "{path}");
        streams.push(events);
    }
    let lines = open("/v3/keys?prefix=k/&watch", "application/x-ndjson").await;
    let mut kept = EventStream::over(open("/v3/keys/a", "text/event-stream").await, "");
    assert_eq!(kept.next().await.unwrap().event, "opened");
    let (http, header) = (realm.server.http(), reader.clone());
    let waiting =
        tokio::spawn(
            async move { http.send(Verb::GET, "/v3/keys/k/1?wait=600", &[("authorization", &header)], "").await },
        );
    watched_by(&realm, 6).await;

    realm.narrow(&root).await;
    for mut events in streams {
        let event = events.next().await.expect("a last word");
        assert_eq!((&*event.event, events.next().await), ("failed", None));
        let problem: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!((problem["status"].clone(), problem["detail"].clone()), (403.into(), DENIED.into()));
    }
    let lines = within("the end of the lines", lines.collect()).await.unwrap().to_bytes();
    let last: Value =
        serde_json::from_slice(lines.trim_ascii_end().split(|byte| *byte == b'\n').next_back().unwrap()).unwrap();
    assert!(last["event"] == "failed" && last.to_string().contains(DENIED), "{last}");
    let told = waiting.await.unwrap();
    assert_eq!((told.status.as_u16(), told.json()["detail"].clone()), (403, DENIED.into()));
    // What may still be read is still told.
    let put = realm.http.send(Verb::PUT, "/v3/keys/a", &[("authorization", &root)], "x").await;
    assert_eq!((put.status.as_u16(), kept.next().await.unwrap().event.as_str()), (201, "put"));
}

/// What is held for as long as it is read, and what waits for a place, are given up with the right to them, however long it
/// is until the lease is renewed.
#[tokio::test]
async fn what_may_not_be_held_any_more_is_given_up() {
    let Some(realm) = realm_with(&["--bcrypt-cost=4"]).await else { return };
    let (root, writer) = (realm.token("root").await, realm.token("writer").await);
    let by_writer = ("authorization", &*writer);
    let open = async |verb: Verb, path: &str| {
        let answer = realm.http.open(verb, path, &[by_writer], Full::from("x").boxed()).await;
        assert_eq!(answer.status(), 200, "{path}");
        EventStream::over(answer.into_body(), "")
    };
    let mut streams = Vec::new();
    for (verb, path, first) in [
        (Verb::PUT, "/v3/keys/k/held?hold&ttl=6000", "held"),
        (Verb::POST, "/v3/locks/k/lock?hold&ttl=6000", "held"),
        (Verb::POST, "/v3/locks/k/lock?hold&ttl=6000", "waiting"),
        (Verb::POST, "/v3/elections/k/office?hold&ttl=6000", "held"),
    ] {
        let mut events = open(verb, path).await;
        assert_eq!(events.next().await.unwrap().event, first, "{path}");
        streams.push((path, events));
    }
    let (http, header) = (realm.server.http(), writer.clone());
    let waiting = tokio::spawn(async move {
        http.send(Verb::POST, "/v3/locks/k/lock?wait=600&ttl=6000", &[("authorization", &header)], "").await
    });
    let by_root = [("authorization", &*root)];
    let look = async |path: &str| realm.http.send(Verb::GET, path, &by_root, "").await.json();
    eventually("three in line", async || (look("/v3/locks/k/lock").await["count"] == "3").then_some(())).await;

    let taken = realm.http.send(Verb::DELETE, "/v3/users/writer/roles/writes", &by_root, "").await;
    assert_eq!(taken.status, 204);
    for (path, mut events) in streams {
        let event = events.next().await.expect("a last word");
        assert_eq!((&*event.event, events.next().await), ("failed", None), "{path}");
        let problem: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!((problem["status"].clone(), problem["detail"].clone()), (403.into(), DENIED.into()), "{path}");
    }
    let told = within("the answer of who waits", waiting).await.unwrap();
    assert_eq!((told.status.as_u16(), told.json()["detail"].clone()), (403, DENIED.into()));
    // And nothing of it is left in the way.
    eventually("all of it is gone", async || {
        let left = look("/v3/keys?prefix=k/&recursive&keys_only").await;
        (left["keys"] == serde_json::json!([])).then_some(())
    })
    .await;
}

/// Whoever gets a browser to send it from elsewhere has nothing of a cookie.
#[tokio::test]
async fn pages_of_other_sites_have_nothing_of_a_cookie() {
    let Some(realm) = realm_with(&["--bcrypt-cost=4"]).await else { return };
    realm.furnish_resources().await;
    let cookie = realm.cookie("root", "root's").await;
    let own = format!("http://{}", realm.server.addr());
    let ask = async |form: &super::Form, from: (&str, &str)| -> Answer {
        let headers = [form.headers, &[("cookie", &*cookie), from]].concat();
        realm.http.send(form.verb.clone(), &form.path, &headers, form.body).await
    };
    let revision = async || {
        realm
            .server
            .http()
            .get("/metrics")
            .await
            .text()
            .lines()
            .find(|line| line.starts_with("etcd_debugging_mvcc_current_revision"))
            .map(str::to_owned)
    };
    let (before, mut tried) = (revision().await, 0);
    assert!(before.is_some());
    let all = resources(&realm.http).await;
    let unsafe_ones =
        all.keys().filter(|id| *id != "sessionEnd").flat_map(|id| forms(id)).filter(|form| form.verb != Verb::GET);
    let unsafe_ones: Vec<_> = unsafe_ones.collect();
    for form in &unsafe_ones {
        for foreign in [
            ("origin", "http://elsewhere.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let told = ask(form, foreign).await;
            let wanted = Error::ForeignPage.to_string();
            assert_eq!(
                (told.status.as_u16(), told.json()["detail"].clone()),
                (403, wanted.into()),
                "{form:?} {foreign:?}"
            );
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
    assert_eq!(revision().await, before, "nothing was changed");
    // Reading is done, and not shown to the page.
    let read = ask(&listed("/v3/keys/k/1"), ("origin", "http://elsewhere.example")).await;
    assert_eq!((read.status.as_u16(), read.header("access-control-allow-origin")), (200, ""));
    // A page of its own may.
    for from in [("origin", &*own), ("sec-fetch-site", "same-origin")] {
        for form in forms("keysPut").iter().chain(&forms("leasesKeepAlive")).filter(|form| !form.is_stream()) {
            assert_ne!(ask(form, from).await.status, 403, "{form:?} {from:?}");
        }
    }
    assert_ne!(revision().await, before);
}

/// Others on the way may write it into their logs: only who cannot say it otherwise may.
#[tokio::test]
async fn a_token_in_the_query_is_for_streams_alone() {
    for flag in [false, true] {
        let args = if flag { &["--bcrypt-cost=4", "--access-token-in-query"][..] } else { &["--bcrypt-cost=4"] };
        let Some(realm) = realm_with(args).await else { return };
        realm.furnish_resources().await;
        let root = realm.token("root").await;
        let named = |path: &str| format!("{path}{}access_token={root}", if path.contains('?') { '&' } else { '?' });
        for (path, accept) in [
            ("/v3/watch?key=k/1", ""),
            ("/v3/keys/k/1", "text/event-stream"),
            ("/v3/keys/k/1?watch", ""),
            ("/v3/keys?prefix=k/", "text/event-stream"),
            ("/v3/keys?watch", "application/x-ndjson"),
        ] {
            let headers: &[_] = if accept.is_empty() { &[] } else { &[("accept", accept)] };
            let status = realm.http.get_stream(&named(path), headers).await.status();
            assert_eq!(status, if flag { 200 } else { 401 }, "{path} {flag}");
        }
        for id in resources(&realm.http).await.keys() {
            for form in forms(id) {
                let is_for_all =
                    ["sessionBegin", "sessionEnd", "operationsPaths", "authenticationGet"].contains(&&**id);
                if form.is_stream() || is_for_all {
                    continue;
                }
                let told = realm.http.send(form.verb.clone(), &named(&form.path), form.headers, form.body).await;
                // Keys do not know the name, whoever asks.
                assert!([400, 401].contains(&told.status.as_u16()), "{form:?}: {}", told.text());
                assert!(!told.text().contains(&root), "{}", told.text());
            }
        }
        assert!(!realm.server.log().contains(&root));
    }
}
