//! What is held as long as a stream of events is open, by clients and members that go away without a word.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use keyport_tests::Cluster;
use keyport_tests::http::Http;
use keyport_tests::wait::{eventually, within};
use rand::RngExt as _;
use serde_json::Value;

use super::number;

/// An open stream of events.
pub(super) struct Held {
    body: Incoming,
    text: String,
}

impl Held {
    pub(super) async fn open(http: &Http, method: Method, path: &str, body: &str) -> Held {
        Held::try_open(http, method, path, body).await.unwrap_or_else(|| panic!("{path}: no stream"))
    }

    /// None where there is no server, or it has nothing but a refusal.
    async fn try_open(http: &Http, method: Method, path: &str, body: &str) -> Option<Held> {
        let headers = [("accept", "text/event-stream")];
        let body = Full::from(body.to_owned()).boxed();
        let answer = http.try_open(method, &format!("/v3/{path}"), &headers, body).await.ok()?;
        let is_stream = answer.headers()["content-type"] == "text/event-stream";
        is_stream.then(|| Held { body: answer.into_body(), text: String::new() })
    }

    /// The next event: its name and its data; none at the end, or where the connection is lost.
    pub(super) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                // What begins with a colon only keeps the connection open.
                let Some(event) = event.strip_prefix("event: ") else { continue };
                let (name, data) = event.split_once("\ndata: ").unwrap();
                return Some((name.to_owned(), serde_json::from_str(data).unwrap()));
            }
            let frame = self.body.frame().await?.ok()?;
            self.text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
        }
    }
}

/// When somebody had it, and by which token.
struct Had {
    from: Instant,
    until: Instant,
    token: i64,
}

/// Takes a lock again and again until it is told to stop; has it for a moment, or until it is lost.
async fn compete(addrs: Vec<SocketAddr>, stop: Arc<AtomicBool>) -> Vec<Had> {
    let mut all = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let at = addrs[rand::rng().random_range(0..addrs.len())];
        let asked = Held::try_open(&Http::new(at), Method::POST, "locks/l?ttl=2", "x").await;
        let Some(mut stream) = asked else {
            tokio::task::yield_now().await;
            continue;
        };
        let (from, token) = loop {
            match stream.next().await {
                Some((name, held)) if name == "held" => break (Instant::now(), number(&held, "revision")),
                Some((name, _)) if name == "waiting" => {}
                _ => break (Instant::now(), 0),
            }
        };
        if token == 0 {
            continue;
        }
        let lost = tokio::time::timeout(Duration::from_millis(20), stream.next()).await;
        let until = Instant::now();
        if rand::rng().random() || lost.is_ok() {
            drop(stream);
        } else {
            // Kept open for longer than it is used.
            let _ = tokio::time::timeout(Duration::from_millis(50), stream.next()).await;
        }
        all.push(Had { from, until, token });
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_never_had_by_two_whoever_is_killed() {
    let mut cluster = Cluster::of(3).start().await;
    let addrs: Vec<_> = (0..3).map(|member| cluster.members[member].addr()).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..6).map(|_| tokio::spawn(compete(addrs.clone(), Arc::clone(&stop)))).collect();
    for round in 0..3 {
        let member = if round == 1 { cluster.leader().await } else { round };
        let before = cluster.grpc((member + 1) % 3).revision().await;
        cluster.kill(member).await;
        eventually("the lock changes hands without it", async || {
            (cluster.grpc((member + 1) % 3).revision().await > before + 20).then_some(())
        })
        .await;
        cluster.restart(member).await;
    }
    stop.store(true, Ordering::SeqCst);
    let mut all = Vec::new();
    for task in tasks {
        all.extend(within("the last one gives up", task).await.unwrap());
    }
    all.sort_by_key(|had| had.from);
    for pair in all.windows(2) {
        assert!(pair[0].until <= pair[1].from, "two had it at once");
        assert!(pair[0].token < pair[1].token, "tokens rise");
    }
    assert!(all.len() > 20, "it changed hands {} times", all.len());
}
