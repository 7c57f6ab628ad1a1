//! What those who run a member look at when something is wrong: its log at another level, profiles, warnings of what is slow.

use std::io::Read as _;
use std::process::Command;

use flate2::read::GzDecoder;
use http::Method;
use keyport_tests::http::{Answer, Http};
use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};
use prost::Message;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const LOG: &str = "/debug/log";

fn keyport(args: &[&str]) -> Server {
    Server::of(Flavor::Keyport).args(args.iter().copied()).start()
}

async fn set(http: &Http, body: &str) -> Answer {
    http.send(Method::PUT, LOG, &[], body.to_owned()).await
}

fn lines(server: &Server, level: &str) -> usize {
    server.log().lines().filter(|line| line.contains(&format!("\"level\":\"{level}\""))).count()
}

#[tokio::test]
async fn the_log_changes_its_level_while_the_member_runs() {
    let server = keyport(&[]);
    let http = server.http();
    assert_eq!(http.get(LOG).await.json(), json!({ "level": "info", "targets": "" }));
    assert_eq!(lines(&server, "debug"), 0);
    // As old releases of etcd took it.
    let answer = set(&http, r#"{"Level":"DEBUG"}"#).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "level": "debug", "targets": "" })));
    eventually("debug lines", async || {
        http.get("/version").await;
        (lines(&server, "debug") > 0).then_some(())
    })
    .await;
    assert_eq!(http.get(LOG).await.json()["level"], "debug");
    set(&http, r#"{"level":"error"}"#).await;
    let changed = |text: &str| {
        server.log().lines().filter(|line| line.contains("changed what is written") && line.contains(text)).count()
    };
    let before = server.log().lines().count();
    http.call("/v3/kv/put", json!({ "key": "aw==", "value": "dg==" })).await;
    assert_eq!(server.log().lines().count(), before);
    let targets = r#"{"targets":"off,keyport_server::faces=warn"}"#;
    assert_eq!(set(&http, targets).await.json()["targets"], "off,keyport_server::faces=warn");
    set(&http, r#"{"level":"info"}"#).await;
    assert_eq!(http.get(LOG).await.json(), json!({ "level": "info", "targets": "" }));
    assert!(changed("\"level\":\"warn\"") >= 2, "{}", server.log());
}

#[tokio::test]
async fn what_is_no_level_changes_nothing() {
    let server = keyport(&["--log-level=warn"]);
    let http = server.http();
    for (body, why) in [
        ("", "the body is not what is wanted here"),
        ("{}", "neither a level nor targets"),
        ("[]", "the body is not what is wanted here"),
        (r#"{"level":"loud"}"#, "unrecognized level: \"loud\""),
        (r#"{"level":""}"#, "unrecognized level: \"\""),
        (r#"{"level":"info","else":1}"#, "unknown field"),
        (r#"{"targets":"a=b=c"}"#, "targets: "),
        (&format!(r#"{{"targets":"{}"}}"#, "a".repeat(5_000)), "are more than"),
    ] {
        let answer = set(&http, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (400, "application/problem+json"),
            "{body}"
        );
        assert!(answer.text().contains(&why.replace('"', "\\\"")), "{}", answer.text());
    }
    assert_eq!(http.get(LOG).await.json(), json!({ "level": "warn", "targets": "" }));
    let refused = http.post(LOG, "{}").await;
    assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, "GET, HEAD, PUT"));
    for origin in ["http://evil.example", "null"] {
        let answer = http.send(Method::PUT, LOG, &[("origin", origin)], r#"{"level":"debug"}"#).await;
        assert_eq!(answer.status, 403, "{origin}");
    }
    assert_eq!(http.get(LOG).await.json()["level"], "warn");
}

#[tokio::test]
async fn directives_from_the_environment_are_shown_and_replaced() {
    let server = Server::of(Flavor::Keyport).env("RUST_LOG", "warn,keyport_server=info").start();
    let http = server.http();
    assert_eq!(http.get(LOG).await.json(), json!({ "level": "info", "targets": "warn,keyport_server=info" }));
    assert_eq!(set(&http, r#"{"level":"info"}"#).await.json()["targets"], "");
}

#[tokio::test]
async fn what_is_slow_is_warned_of_with_its_steps() {
    let server = keyport(&["--warning-apply-duration=1ns", "--warning-unary-request-duration=1ns"]);
    let (mut grpc, http) = (server.grpc().await, server.http());
    grpc.put("slow/key", "a secret").await;
    http.call("/v3/kv/range", json!({ "key": "c2xvdw==", "range_end": "c2xveA==" })).await;
    let log = eventually("the lines", async || {
        let log = server.log();
        let said: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (said.iter().filter(|line| line["msg"] == "request stats").count() >= 2).then_some(said)
    })
    .await;
    let with = |msg: &str, key: &str, value: &str| {
        let found = log.iter().find(|line| line["msg"] == msg && line[key] == value);
        found.unwrap_or_else(|| panic!("{msg} {key}={value}: {log:?}")).clone()
    };
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let put = with("apply request took too long", "op", "Put");
    assert_eq!(text(&put, "request"), "put slow/key of 8 bytes");
    assert_eq!(text(&put, "expected-duration"), "1ns");
    let range = with("apply request took too long", "op", "read-only range");
    assert_eq!(text(&range, "request"), "slow to slox");
    let request = with("request stats", "response type", "/etcdserverpb.KV/Put");
    assert!(text(&request, "steps").starts_with("propose until applied "), "{request}");
    let request = with("request stats", "response type", "/etcdserverpb.KV/Range");
    assert!(text(&request, "steps").contains("read "), "{request}");
    assert!(!server.log().contains("a secret"));
    let metrics = http.get("/metrics").await.text();
    let slow = metrics.lines().find_map(|line| line.strip_prefix("etcd_server_slow_apply_total ")?.parse::<u64>().ok());
    assert!(slow.is_some_and(|slow| slow >= 2), "{slow:?}");
}

/// As much of pprof's `profile.proto` as is looked at here.
#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(string, repeated, tag = "6")]
    strings: Vec<String>,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(int64, tag = "12")]
    period: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    locations: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    values: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
}

/// Asks for a profile while the member has something to do.
async fn busy_profile(server: &Server, path: &str) -> Answer {
    let mut work = JoinSet::new();
    for _ in 0..8 {
        let mut grpc = server.grpc().await;
        work.spawn(async move {
            loop {
                grpc.put("k", "v").await;
            }
        });
    }
    server.http().get(path).await
}

#[tokio::test]
async fn profiles_say_where_the_time_goes() {
    let server = keyport(&["--enable-pprof"]);
    let packed = eventually("a profile of what the member did", async || {
        let answer = busy_profile(&server, "/debug/pprof/profile?seconds=2").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/octet-stream"));
        let mut bytes = Vec::new();
        GzDecoder::new(&answer.body[..]).read_to_end(&mut bytes).unwrap();
        let profile = Profile::decode(&bytes[..]).unwrap();
        assert!(profile.duration_nanos >= 2_000_000_000, "{}", profile.duration_nanos);
        for sample in &profile.sample {
            let [count, time] = sample.values[..] else { panic!("{sample:?}") };
            assert!(count > 0 && time == count * profile.period && !sample.locations.is_empty());
            assert!(sample.locations.iter().all(|id| profile.location.iter().any(|location| location.id == *id)));
        }
        // How much of the processor a member gets in so long, and so what is sampled, is the machine's to say.
        let has = |is: fn(&str) -> bool| profile.strings.iter().any(|text| is(text));
        (has(|text| text == "raft") && has(|text| text.contains("keyport_server"))).then_some(answer.body)
    })
    .await;
    // The judge, where it is.
    let file = server.scratch().join("profile");
    std::fs::write(&file, &packed).unwrap();
    if let Ok(output) = Command::new("go").args(["tool", "pprof", "-top"]).arg(&file).output() {
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("Type: cpu"), "{text} {output:?}");
    }
    eventually("stacks in lines", async || {
        let folded = busy_profile(&server, "/debug/pprof/profile?seconds=1&format=folded").await.text();
        for line in folded.lines() {
            let (stack, count) = line.rsplit_once(' ').unwrap();
            assert!(stack.contains(';') && count.parse::<u32>().is_ok(), "{line}");
        }
        folded.contains("keyport_server").then_some(())
    })
    .await;
    // It goes on as if nothing had been.
    server.grpc().await.put("k", "v").await;
}

#[tokio::test]
async fn profiles_are_bounded_and_taken_one_at_a_time() {
    let server = keyport(&["--enable-pprof"]);
    let http = server.http();
    for (query, why) in [
        ("seconds=0", "seconds is not from 1 to 300\n"),
        ("seconds=301", "seconds is not from 1 to 300\n"),
        ("seconds=x", "seconds is not from 1 to 300\n"),
        ("format=svg", "format is neither pprof nor folded\n"),
    ] {
        let answer = http.get(&format!("/debug/pprof/profile?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (400, why));
    }
    let index = http.get("/debug/pprof/").await;
    assert!(index.status == 200 && index.text().starts_with("profile "), "{}", index.text());
    for name in ["heap", "goroutine", "allocs", "block", "mutex", "threadcreate", "trace", "cmdline", "symbol"] {
        let answer = http.get(&format!("/debug/pprof/{name}")).await;
        assert_eq!(answer.status, 404, "{name}");
        assert!(answer.text().contains(&format!("There is no profile {name} here: ")), "{}", answer.text());
    }
    let other = server.http();
    // Until it is the one that is taken.
    let long = tokio::spawn(async move { while other.get("/debug/pprof/profile?seconds=300").await.status == 409 {} });
    eventually("a refusal", async || {
        let answer = http.get("/debug/pprof/profile?seconds=1").await;
        (answer.status == 409).then_some(())
    })
    .await;
    // Whoever gives up lets others have it.
    long.abort();
    eventually("a profile", async || (http.get("/debug/pprof/profile?seconds=1").await.status == 200).then_some(()))
        .await;
}

#[tokio::test]
async fn profiles_are_there_only_if_asked_for() {
    for (args, status) in [(&[][..], 404), (&["--log-level=debug"], 200)] {
        let server = keyport(args);
        for path in ["/debug/pprof/", "/debug/pprof/profile?seconds=1"] {
            let answer = server.http().get(path).await;
            assert_eq!(answer.status, status, "{args:?} {path}");
            assert!(status == 200 || answer.text().contains("--enable-pprof"), "{}", answer.text());
        }
    }
}
