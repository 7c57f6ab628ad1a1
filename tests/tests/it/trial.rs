//! `keyport cluster`, and the tour of it in the README.

mod encrypted;

use std::net::TcpListener;
use std::path::Path;

use keyport_tests::cluster::Hosts;
use keyport_tests::sse::EventStream;
use keyport_tests::trial::Trial;
use keyport_tests::wait::eventually;
use rustix::process::Signal;
use serde_json::{Value, json};

/// On a machine of its own, in a folder of its own.
fn alone(test: impl AsyncFnOnce(&Hosts, &Path) + Send) {
    let Some(hosts) = Hosts::new(1) else { return eprintln!("skipped: may not make network namespaces") };
    let dir = tempfile::tempdir().unwrap();
    hosts.inside(0, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(&hosts, dir.path()));
    });
}

/// foo = bar, then foo = again, as base64.
const BAR: &str = r#"{"key":"Zm9v","value":"YmFy"}"#;
const AGAIN: &str = r#"{"key":"Zm9v","value":"YWdhaW4="}"#;

/// What a member has of foo; nothing if it cannot say.
async fn foo(trial: &Trial, member: usize) -> Option<Value> {
    let answer = trial.http(member).post("/v3/kv/range", r#"{"key":"Zm9v"}"#).await;
    answer.status.is_success().then(|| answer.json()["kvs"][0]["value"].clone())
}

async fn leader(trial: &Trial) -> usize {
    eventually("a leader", async || {
        for member in 0..3 {
            let status = trial.http(member).call("/v3/maintenance/status", json!({})).await;
            if status["leader"] == status["header"]["member_id"] {
                return Some(member);
            }
        }
        None
    })
    .await
}

/// The value of the next put that an event stream shows.
async fn put(stream: &mut EventStream) -> String {
    loop {
        let event = stream.next().await.expect("the stream goes on");
        if event.event == "put" {
            let data: Value = serde_json::from_str(&event.data).unwrap();
            return data["value"].as_str().unwrap().into();
        }
    }
}

#[test]
fn the_tour() {
    alone(async |hosts, dir| {
        let mut trial = Trial::start(hosts, dir, [] as [&str; 0]);
        for member in 0..3 {
            trial.until_ready(member).await;
        }
        trial.says("-- | three members are up, m").await;
        assert!(trial.log().lines().all(|line| line.starts_with("-- | ")), "it is quiet");
        assert!(trial.log().contains("http://127.0.0.1:2379/docs"));

        // Write to one, watch on another.
        let http = trial.http(1);
        let mut stream = EventStream::open(&http, "/v3/watch?prefix=foo", "").await;
        assert_eq!(trial.http(0).post("/v3/kv/put", BAR).await.status, 200);
        assert_eq!(put(&mut stream).await, "bar");

        // Kill the leader, and go on.
        let leader = leader(&trial).await;
        let others: Vec<usize> = (0..3).filter(|member| *member != leader).collect();
        let http = trial.http(others[0]);
        let mut stream = EventStream::open(&http, "/v3/watch?prefix=foo&start_revision=2", "").await;
        assert_eq!(put(&mut stream).await, "bar");
        let number = leader + 1;
        trial.types(&number.to_string());
        trial.says(&format!("-- | m{number} has ended: killed")).await;
        trial.says("-- | two members are up, m").await;
        let kept = eventually("somebody leads", async || foo(&trial, others[1]).await).await;
        assert_eq!(kept, "YmFy");
        assert_eq!(trial.http(others[1]).post("/v3/kv/put", AGAIN).await.status, 200);
        assert_eq!(put(&mut stream).await, "again");

        // Start it again, and it catches up.
        trial.types(&number.to_string());
        trial.until_ready(leader).await;
        assert_eq!(foo(&trial, leader).await, Some("YWdhaW4=".into()));
        assert_eq!((trial.members().len(), trial.left().len()), (4, 3));

        // Two digits at once: killed, and started again.
        trial.types(&format!("{number}\n{number}"));
        eventually("it has been started again", async || (trial.members().len() == 5).then_some(())).await;
        trial.until_ready(leader).await;
        assert_eq!(trial.left().len(), 3);

        // Ctrl-C ends all of them; the data stays.
        trial.signal(Signal::INT);
        let status = trial.end().await;
        assert!(status.success(), "{status}");
        assert_eq!(trial.left(), []);
        for signal in [Signal::TERM, Signal::HUP] {
            let mut trial = Trial::start(hosts, dir, ["keyport-cluster", "--log-level=warn"]);
            for member in 0..3 {
                trial.until_ready(member).await;
                assert_eq!(foo(&trial, member).await, Some("YWdhaW4=".into()));
            }
            trial.signal(signal);
            let status = trial.end().await;
            assert!(status.success(), "{status}");
            assert_eq!(trial.left(), []);
        }
    });
}

#[test]
fn what_cannot_be() {
    alone(async |hosts, dir| {
        let refused = async |args: &[&str], said: &str| {
            let mut trial = Trial::start(hosts, dir, args);
            let status = trial.end().await;
            assert_eq!(status.code(), Some(1), "{args:?}");
            assert!(trial.log().contains(said), "{args:?}: {}", trial.log());
            assert_eq!(trial.left(), [], "{args:?}");
        };
        let taken = TcpListener::bind("127.0.0.1:22380").unwrap();
        refused(&[], "m2 cannot listen on 127.0.0.1:22380: Address already in use").await;
        assert!(!dir.join("keyport-cluster").exists(), "nothing is made in vain");
        drop(taken);
        std::fs::write(dir.join("file"), "").unwrap();
        refused(&["file"], "file: File exists").await;
        refused(&["data", "--nonsense"], "flag provided but not defined: -nonsense").await;
        assert!(!dir.join("data").exists(), "nobody was started");
        let mut trial = Trial::start(hosts, dir, ["--help"]);
        assert!(trial.end().await.success());
        assert!(trial.log().contains("Usage: keyport cluster"));
    });
}

/// The end of a member that was removed is what was asked for.
#[test]
fn a_member_is_removed() {
    alone(async |hosts, dir| {
        let mut trial = Trial::start(hosts, dir, [] as [&str; 0]);
        trial.says("-- | three members are up, m").await;
        let http = trial.http(0);
        let members = http.call("/v3/cluster/member/list", json!({})).await;
        let listed = members["members"].as_array().unwrap();
        let third = listed.iter().find(|member| member["name"] == "m3").unwrap();
        let id = json!({ "ID": third["ID"] });
        // Not before the others have been connected for long enough.
        eventually("the removal is accepted", async || {
            http.post("/v3/cluster/member/remove", id.to_string()).await.status.is_success().then_some(())
        })
        .await;
        trial.says("-- | m3 has ended\n").await;
        trial.says("-- | two members are up, m").await;
        assert!(trial.log().lines().all(|line| line.starts_with("-- | ")), "nobody calls it an error");
        let log = std::fs::read_to_string(dir.join("keyport-cluster/m3.log")).unwrap();
        assert!(log.contains("the member has been removed from the cluster and ends"), "{log}");
        assert!(!log.lines().any(|line| matches!(line.split('\t').nth(1), Some("error" | "fatal"))), "{log}");
        trial.signal(Signal::INT);
        assert!(trial.end().await.success());
    });
}
