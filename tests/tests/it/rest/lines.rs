//! Locks and elections as resources, and what is held as long as a stream is open.

use http::Method;
use http_body_util::{BodyExt as _, Full};
use keyport_api::v3electionpb::LeaderRequest;
use keyport_tests::http::Answer;
use keyport_tests::wait::{eventually, within};
use serde_json::{Value, json};

use super::held::Held;
use super::{Store, number, problem};

impl Store {
    async fn line(&self, method: Method, path: &str, body: &str) -> Answer {
        self.http.send(method, &format!("/v3/{path}"), &[], body.to_owned()).await
    }

    async fn look(&self, path: &str) -> Value {
        self.line(Method::GET, path, "").await.json()
    }
}

#[tokio::test]
async fn a_lock_is_had_by_one_and_its_holder_is_told() {
    let store = Store::start();
    let taken = store.line(Method::POST, "locks/jobs/nightly?ttl=60", "m1").await;
    assert_eq!((taken.status.as_u16(), taken.header("location")), (201, "/v3/locks/jobs/nightly"));
    let (lease, revision) = (number(&taken.json(), "lease"), number(&taken.json(), "revision"));
    assert_eq!((&taken.json()["name"], number(&taken.json(), "ttl")), (&json!("jobs/nightly"), 60));
    assert_eq!(taken.json()["key"], format!("jobs/nightly/{lease:x}"));
    let refused = store.line(Method::POST, "locks/jobs/nightly", "m2").await;
    assert_eq!(problem(&refused).0, 409);
    let holder = refused.json()["holder"].clone();
    assert_eq!(
        (&holder["value"], number(&holder, "lease"), number(&holder, "revision")),
        (&json!("m1"), lease, revision)
    );
    // Nothing was written for who was refused.
    assert_eq!(store.get("nothing").await.header("keyport-revision"), revision.to_string());
    assert_eq!(
        store.look("locks/jobs/nightly").await,
        json!({"name": "jobs/nightly", "holder": holder, "waiters": [], "count": "1"})
    );
    // Asking again with the same lease is asking for what one has.
    let again = store.line(Method::POST, &format!("locks/jobs/nightly?lease={lease}"), "m1").await;
    assert_eq!((again.status.as_u16(), number(&again.json(), "revision")), (201, revision));
    let released = store.line(Method::DELETE, &format!("locks/jobs/nightly?lease={lease:#x}"), "").await;
    assert_eq!(released.status, 204);
    assert_eq!(store.look("locks/jobs/nightly").await, json!({"name": "jobs/nightly", "waiters": [], "count": "0"}));
    // Its lease was for it alone.
    assert_eq!(store.line(Method::GET, &format!("leases/{lease}"), "").await.status, 404);
    assert_eq!(problem(&store.line(Method::DELETE, &format!("locks/jobs/nightly?lease={lease}"), "").await).0, 404);
    let next = store.line(Method::POST, "locks/jobs/nightly", "").await.json();
    assert!(number(&next, "revision") > revision, "a fencing token");
    for (method, path, status) in [
        (Method::POST, "locks/", 400),
        (Method::POST, "locks/a?ttl=0", 400),
        (Method::POST, "locks/a?ttl=5&lease=7", 400),
        (Method::POST, "locks/a?wait=601s", 400),
        (Method::POST, "locks/a?until=5", 400),
        (Method::POST, "locks/a?lease=7", 404),
        (Method::POST, "locks/a%zz", 400),
        (Method::POST, "locks/a?hold&lease=7", 400),
        (Method::DELETE, "locks/a", 400),
        (Method::PUT, "locks/a", 405),
        (Method::GET, "locks/a?limit=0", 400),
    ] {
        assert_eq!(problem(&store.line(method.clone(), path, "").await).0, status, "{method} {path}");
    }
}

#[tokio::test]
async fn who_waits_is_next_and_who_gives_up_leaves_nothing() {
    let store = Store::start();
    let holder = number(&store.line(Method::POST, "locks/l", "a").await.json(), "lease");
    let late = store.line(Method::POST, "locks/l?wait=1s", "b").await;
    assert_eq!((problem(&late).0, &late.json()["holder"]["value"]), (409, &json!("a")));
    eventually("nobody is left in line", async || (store.look("locks/l").await["count"] == "1").then_some(())).await;
    let leases = async || store.line(Method::GET, "leases", "").await.json()["leases"].as_array().unwrap().len();
    eventually("nor a lease", async || (leases().await == 1).then_some(())).await;
    // A lease that is shorter than the waiting is renewed meanwhile.
    let http = store.server.http();
    let waiting = tokio::spawn(async move { http.send(Method::POST, "/v3/locks/l?wait=600s&ttl=2", &[], "c").await });
    eventually("it stands in line", async || (store.look("locks/l").await["count"] == "2").then_some(())).await;
    let place = store.look("locks/l").await["waiters"][0].clone();
    assert_eq!(place["value"], "c");
    // Twice its time, by the server's own clock.
    for _ in 0..2 {
        let other = number(&store.line(Method::POST, "leases", r#"{"ttl":2}"#).await.json(), "id");
        let path = format!("leases/{other}");
        eventually("another one ends", async || (store.line(Method::GET, &path, "").await.status == 404).then_some(()))
            .await;
    }
    store.line(Method::DELETE, &format!("locks/l?lease={holder}"), "").await;
    let taken = within("its turn", waiting).await.unwrap();
    assert_eq!((taken.status.as_u16(), &taken.json()["revision"]), (201, &place["revision"]));
    // And nobody renews it any more.
    eventually("its time is over", async || store.look("locks/l").await["holder"].is_null().then_some(())).await;
}

#[tokio::test]
async fn a_lock_is_held_as_long_as_its_stream_is_open() {
    let store = Store::start();
    let mut first = Held::open(&store.http, Method::POST, "locks/l", "a").await;
    let (name, held) = first.next().await.unwrap();
    assert_eq!((&*name, &held["name"], number(&held, "ttl")), ("held", &json!("l"), 10));
    let mut second = Held::open(&store.http, Method::POST, "locks/l?ttl=5", "b").await;
    let (name, line) = second.next().await.unwrap();
    assert_eq!((&*name, &line["holder"]["value"]), ("waiting", &json!("a")));
    let mut third = Held::open(&store.http, Method::POST, "locks/l?wait=1", "c").await;
    assert_eq!(third.next().await.unwrap().0, "waiting");
    let (name, refused) = third.next().await.unwrap();
    assert_eq!((&*name, &refused["status"], third.next().await), ("failed", &json!(409), None));
    drop(first);
    let (name, now) = second.next().await.unwrap();
    assert_eq!(name, "held");
    assert!(number(&now, "revision") > number(&held, "revision"));
    // Somebody ends its lease: whoever reads is told that it is lost.
    store.line(Method::DELETE, &format!("leases/{}", number(&now, "lease")), "").await;
    let (name, _) = second.next().await.unwrap();
    assert_eq!((&*name, second.next().await), ("lost", None));
    assert!(store.look("locks/l").await["holder"].is_null());
}

#[tokio::test]
async fn keys_and_leases_are_there_as_long_as_a_stream_is_open() {
    let store = Store::start();
    let mut here = Held::open(&store.http, Method::PUT, "keys/here/m1", "up").await;
    let (name, held) = here.next().await.unwrap();
    assert_eq!((&*name, &held["key"], number(&held, "ttl")), ("held", &json!("here/m1"), 10));
    assert_eq!(store.get("here/m1").await.text(), "up");
    let mut lease = Held::open(&store.http, Method::POST, "leases", r#"{"ttl":60,"id":7}"#).await;
    assert_eq!(lease.next().await.unwrap(), ("held".to_owned(), json!({"id": "7", "ttl": "60"})));
    store.put("with?lease=7", "x").await;
    // Another stream takes the key over: who had it is told.
    let mut other = Held::open(&store.http, Method::PUT, "keys/here/m1?ttl=20", "too").await;
    assert_eq!(number(&other.next().await.unwrap().1, "ttl"), 20);
    assert_eq!(here.next().await.unwrap().0, "lost");
    let form = [("accept", "application/x-ndjson")];
    let lines = store.http.open(Method::PUT, "/v3/keys/lines?hold", &form, Full::from("x").boxed()).await;
    assert_eq!(lines.headers()["content-type"], "application/x-ndjson");
    drop((other, lease, lines));
    eventually("all of it is gone", async || {
        let listed = store.http.get("/v3/keys?recursive").await.json();
        listed["keys"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
    let leases = async || store.line(Method::GET, "leases", "").await.json()["leases"] == json!([]);
    eventually("and no lease is left", async || leases().await.then_some(())).await;
    for path in ["leases?hold=False", "leases?holt"] {
        assert_eq!(problem(&store.line(Method::POST, path, r#"{"ttl":60}"#).await).0, 400, "{path}");
    }
    for (path, status) in [("keys/a?hold&lease=7", 400), ("keys/a?hold&create&cas=1", 400), ("keys/a?hold=1x", 400)] {
        assert_eq!(problem(&store.line(Method::PUT, path, "").await).0, status, "{path}");
    }
    store.put("a", "x").await;
    assert_eq!(problem(&store.line(Method::PUT, "keys/a?hold&create", "").await).0, 412);
    eventually("nor one of who was refused", async || leases().await.then_some(())).await;
}

#[tokio::test]
async fn an_election_is_won_observed_and_passed_on() {
    let store = Store::start();
    assert_eq!(store.look("elections/chief").await, json!({"name": "chief", "candidates": [], "count": "0"}));
    let mut seen = Held::open(&store.http, Method::GET, "elections/chief", "").await;
    let won = store.line(Method::POST, "elections/chief", "m1").await;
    let lease = number(&won.json(), "lease");
    assert_eq!(won.status, 201);
    let (name, leader) = seen.next().await.unwrap();
    assert_eq!((&*name, &leader["value"], number(&leader, "lease")), ("leader", &json!("m1"), lease));
    let proclaimed = store.line(Method::PUT, &format!("elections/chief?lease={lease}"), "m1: ready").await;
    assert_eq!((proclaimed.status.as_u16(), &proclaimed.json()["revision"]), (200, &won.json()["revision"]));
    assert_eq!(seen.next().await.unwrap().1["value"], "m1: ready");
    let mut next = Held::open(&store.http, Method::POST, "elections/chief", "m2").await;
    assert_eq!(next.next().await.unwrap().1["leader"]["value"], "m1: ready");
    assert_eq!(problem(&store.line(Method::PUT, "elections/chief?lease=7", "m2").await).0, 409);
    store.line(Method::DELETE, &format!("elections/chief?lease={lease}"), "").await;
    assert_eq!(next.next().await.unwrap().0, "held");
    assert_eq!(seen.next().await.unwrap().1["value"], "m2");
    // The lines of etcd's own clients are the same.
    let leader = store.server.grpc().await.election.leader(LeaderRequest { name: "chief".into() }).await.unwrap();
    assert_eq!(leader.into_inner().kv.unwrap().value, "m2");
}

/// Over HTTP/1.1 nobody is told that a client is gone but who looks.
#[tokio::test]
async fn who_vanishes_while_waiting_is_next_to_nothing() {
    let store = Store::start();
    let holder = number(&store.line(Method::POST, "locks/l?ttl=600", "a").await.json(), "lease");
    let leases = async || store.line(Method::GET, "leases", "").await.json()["leases"].as_array().unwrap().len();
    for path in ["locks/l", "elections/l"] {
        let http = store.server.http();
        let path = format!("/v3/{path}?wait=600s&ttl=3600");
        let waiting = tokio::spawn(async move { http.send(Method::POST, &path, &[], "b").await });
        eventually("it stands in line", async || (store.look("locks/l").await["count"] == "2").then_some(())).await;
        waiting.abort();
        eventually("it does no more", async || (store.look("locks/l").await["count"] == "1").then_some(())).await;
        eventually("nor has it a lease", async || (leases().await == 1).then_some(())).await;
    }
    store.line(Method::DELETE, &format!("locks/l?lease={holder}"), "").await;
    assert_eq!(store.line(Method::POST, "locks/l", "c").await.status, 201);
}

/// Its lease lasts for longer than a test: it is no renewal that finds out.
#[tokio::test]
async fn what_is_lost_is_told_at_once() {
    let store = Store::start();
    for (path, lose) in [("locks/l", "locks/l"), ("elections/e", "elections/e"), ("locks/k", "leases")] {
        let mut held = Held::open(&store.http, Method::POST, &format!("{path}?hold&ttl=6000"), "a").await;
        let lease = number(&held.next().await.unwrap().1, "lease");
        let lose = if lose == "leases" { format!("leases/{lease}") } else { format!("{lose}?lease={lease}") };
        assert_eq!(store.line(Method::DELETE, &lose, "").await.status, 204, "{lose}");
        assert_eq!(within("that it is lost", held.next()).await.unwrap().0, "lost", "{lose}");
    }
    // A key that somebody holds is taken over with a lease of one's own.
    let mut held = Held::open(&store.http, Method::PUT, "keys/k?hold&ttl=6000", "a").await;
    let lease = number(&held.next().await.unwrap().1, "lease");
    let taken = store.put("k?ttl=6000", "b").await.json();
    assert_ne!(number(&taken, "lease"), lease);
    assert_eq!(within("that it is lost", held.next()).await.unwrap().0, "lost");
    drop(held);
    eventually("its lease is gone", async || {
        (store.line(Method::GET, &format!("leases/{lease}"), "").await.status == 404).then_some(())
    })
    .await;
    assert_eq!(store.get("k").await.text(), "b");
}

#[tokio::test]
async fn a_place_is_given_up_by_who_took_it() {
    let store = Store::start();
    let holder = number(&store.line(Method::POST, "locks/l?ttl=600", "a").await.json(), "lease");
    store.line(Method::POST, "leases", r#"{"ttl":600,"id":1001}"#).await;
    let http = store.server.http();
    let waiting =
        tokio::spawn(async move { http.send(Method::POST, "/v3/locks/l?lease=1001&wait=600", &[], "b").await });
    eventually("it stands in line", async || (store.look("locks/l").await["count"] == "2").then_some(())).await;
    // The same lease again, for shorter, and not at all.
    for query in ["lease=1001&wait=1", "lease=1001"] {
        assert_eq!(problem(&store.line(Method::POST, &format!("locks/l?{query}"), "b").await).0, 409, "{query}");
        assert_eq!(store.look("locks/l").await["count"], "2", "{query}");
    }
    store.line(Method::DELETE, &format!("locks/l?lease={holder}"), "").await;
    let taken = within("its turn", waiting).await.unwrap();
    assert_eq!((taken.status.as_u16(), number(&taken.json(), "lease")), (201, 1001));
    // What has the name of a place and is none stays.
    store.put("docs/ff", "important").await;
    assert_eq!(problem(&store.line(Method::DELETE, "locks/docs?lease=255", "").await).0, 404);
    assert_eq!(store.get("docs/ff").await.text(), "important");
    // A lease that ends while its place is waited for.
    store.line(Method::POST, "leases", r#"{"ttl":600,"id":1002}"#).await;
    let http = store.server.http();
    let waiting =
        tokio::spawn(async move { http.send(Method::POST, "/v3/locks/l?lease=1002&wait=600", &[], "c").await });
    eventually("it stands in line", async || (store.look("locks/l").await["count"] == "2").then_some(())).await;
    store.line(Method::DELETE, "leases/1002", "").await;
    let told = within("that it is over", waiting).await.unwrap();
    assert_eq!((problem(&told).0, &told.json()["type"]), (409, &json!("/problems/session-expired")));
    for name in ["a//b", "a/../b", ".", "a/"] {
        let name = name.replace('.', "%2E").replace('/', "%2F");
        assert_eq!(problem(&store.line(Method::POST, &format!("locks/{name}"), "").await).0, 400, "{name}");
    }
}
