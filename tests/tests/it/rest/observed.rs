//! What a console shows: how all members are, what a member did of late, and what its log warned of.

use std::time::Instant;

use http::Method;
use keyport_tests::Cluster;
use keyport_tests::http::Http;
use keyport_tests::sse::EventStream;
use keyport_tests::wait::eventually;
use serde_json::{Value, json};

use super::{Store, problem};

async fn next(stream: &mut EventStream, name: &str) -> (String, Value) {
    let event = stream.next().await.expect("the stream goes on");
    assert_eq!(event.event, name, "{}", event.data);
    (event.id, serde_json::from_str(&event.data).unwrap())
}

async fn samples(http: &Http, query: &str) -> Vec<Value> {
    let answer = http.get(&format!("/v3/statistics{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["samples"].as_array().unwrap().clone()
}

#[tokio::test]
async fn samples_count_what_was_asked_for() {
    let store = Store::start();
    let mut live = EventStream::open(&store.http, "/v3/statistics", "").await;
    let mut watch = EventStream::open(&store.http, "/v3/watch?prefix=k", "").await;
    watch.next().await.unwrap();
    for number in 0..20 {
        store.put(&format!("k{number}"), "x").await;
        store.get(&format!("k{number}")).await;
        watch.next().await.unwrap();
    }
    let sum = |samples: &[Value], name: &str| samples.iter().map(|sample| sample[name].as_u64().unwrap()).sum::<u64>();
    let told = eventually("all of it is counted", async || {
        let told = samples(&store.http, "?since=600").await;
        (sum(&told, "reads") >= 20 && sum(&told, "writes") >= 20 && sum(&told, "events") >= 20).then_some(told)
    })
    .await;
    assert!(sum(&told, "writes") < 40 && sum(&told, "reads") < 40, "none is counted twice: {told:?}");
    let last = told.last().unwrap();
    assert_eq!((&last["keys"], &last["watchers"], &last["revision"]), (&json!(20), &json!(1), &json!("21")));
    assert!(last["connections"].as_u64().unwrap() >= 2 && last["db_size"].as_u64().unwrap() > 0, "{last}");
    assert!(last["resident_bytes"].as_u64().unwrap() > 1_000_000 && last["raft_term"] != "0", "{last}");
    let timed = told.iter().find(|sample| sample.get("put_p50").is_some()).unwrap();
    let (half, most) = (timed["put_p50"].as_f64().unwrap(), timed["put_p99"].as_f64().unwrap());
    assert!(half > 0.0 && half <= most && timed["fsyncs"].as_u64().unwrap() > 0, "{timed}");
    // What comes live is the same, in its order, and goes on after an interruption.
    let (first, sample) = next(&mut live, "sample").await;
    assert_eq!(sample["time"], first);
    let (second, _) = next(&mut live, "sample").await;
    assert!(second > first, "{second} is behind {first}");
    drop(live);
    let mut again = EventStream::open(&store.http, "/v3/statistics", &first).await;
    assert_eq!(next(&mut again, "sample").await.0, second);
    let since = samples(&store.http, &format!("?since={first}")).await;
    assert_eq!(since[0]["time"], second);
    // The minute that is under way is told when it is over.
    let minutes = samples(&store.http, "?since=600&step=60").await;
    assert!(minutes.iter().all(|sample| sample["seconds"].as_f64().unwrap() <= 60.1), "{minutes:?}");
    for query in ["?since=x", "?since=-1", "?step=4", "?step=3601", "?every=5", "?watch=perhaps"] {
        assert_eq!(problem(&store.http.get(&format!("/v3/statistics{query}")).await).0, 400, "{query}");
    }
}

#[tokio::test]
async fn warnings_are_told_and_heard() {
    let store = Store::start();
    let log = async |level: &str| {
        let answer = store.http.send(Method::PUT, "/debug/log", &[], json!({ "level": level }).to_string()).await;
        assert_eq!(answer.status, 200);
    };
    let before = store.http.get("/v3/warnings").await.json()["warnings"].as_array().unwrap().len();
    let mut live = EventStream::open(&store.http, "/v3/warnings", "").await;
    // What the log does not say at that level is kept all the same.
    log("error").await;
    log("info").await;
    for _ in 0..before {
        next(&mut live, "warning").await;
    }
    let (first, line) = next(&mut live, "warning").await;
    assert_eq!((&line["msg"], &line["level"]), (&json!("changed what is written to the log"), &json!("warn")));
    assert_eq!((&line["event_id"], &line["level-now"]), (&json!(first), &json!("error")));
    let (second, line) = next(&mut live, "warning").await;
    assert_eq!(line["level-now"], "info");
    let list = store.http.get("/v3/warnings").await.json();
    assert_eq!((list["warnings"].as_array().unwrap().len(), &list["last"]), (before + 2, &json!(second)));
    let mut again = EventStream::open(&store.http, "/v3/warnings?watch", &first).await;
    assert_eq!(next(&mut again, "warning").await.0, second);
    // Never more than so many.
    for _ in 0..101 {
        log("debug").await;
        log("info").await;
    }
    let most = store.http.get("/v3/warnings").await.json()["warnings"].as_array().unwrap().len();
    assert!((100..=200).contains(&most), "{most}");
    assert_eq!(problem(&store.http.get("/v3/warnings?since=1").await).0, 400);
}

#[tokio::test]
async fn one_member_is_looked_at() {
    let store = Store::with(&["--quota-backend-bytes=1048576"]);
    store.put("k", "x").await;
    let seen = store.http.get("/v3/overview").await.json();
    let member = &seen["members"][0];
    assert_eq!((&seen["leader"], &seen["member"]), (&member["id"], &member["id"]));
    assert_eq!((&member["health"], &member["leader"], &member["revision"]), (&json!("ok"), &json!(true), &json!("2")));
    assert_eq!((&member["db_quota"], &seen["alarms"]), (&json!(1_048_576), &json!([])));
    let counts = ["voters", "voters_needed", "voters_answering"].map(|name| seen[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1]);
    let mut live = EventStream::open(&store.http, "/v3/overview", "").await;
    assert_eq!(next(&mut live, "overview").await.1["members"][0]["health"], "ok");
    let mut number = 0;
    while store.put(&format!("k{number}"), vec![b'x'; 100_000]).await.status.is_success() {
        number += 1;
        assert!(number < 100, "there is room for all of it");
    }
    loop {
        let (_, seen) = next(&mut live, "overview").await;
        if seen["members"][0]["health"] == "alarmed" {
            assert_eq!(seen["alarms"], json!([{"member": member["id"], "alarm": "NOSPACE"}]));
            break;
        }
    }
    assert_eq!(problem(&store.http.get("/v3/overview?members=1").await).0, 400);
}

/// The one who leads is killed while somebody looks on: he hears that it is silent, who leads then, and that it is back.
#[tokio::test]
async fn who_looks_on_hears_that_the_leader_is_gone() {
    let mut cluster = Cluster::of(3).start().await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    let (lost, http) = (cluster.members[leader].id.to_string(), Http::new(cluster.members[follower].addr()));
    let mut live = EventStream::open(&http, "/v3/overview", "").await;
    let of_lost = |seen: &Value| {
        let members = seen["members"].as_array().unwrap();
        members.iter().find(|member| member["id"] == lost).unwrap().clone()
    };
    let first = next(&mut live, "overview").await.1;
    assert_eq!((&first["leader"], &of_lost(&first)["health"]), (&json!(lost), &json!("ok")));
    assert_eq!(first["members"].as_array().unwrap().len(), 3);
    let killed = Instant::now();
    cluster.kill(leader).await;
    let heard = loop {
        let (_, seen) = next(&mut live, "overview").await;
        if of_lost(&seen)["health"] == "silent" {
            break seen;
        }
    };
    println!("silent after {:?}", killed.elapsed());
    let silent = of_lost(&heard);
    assert!(silent["error"].is_string() && silent["silent_seconds"].is_f64(), "{silent}");
    assert!(silent.get("revision").is_none() && heard["voters_answering"] == 2, "{heard}");
    let mut seen = heard;
    while seen.get("leader").is_none_or(|leader| *leader == lost) {
        seen = next(&mut live, "overview").await.1;
    }
    println!("another one leads after {:?}", killed.elapsed());
    cluster.restart(leader).await;
    while of_lost(&seen)["health"] != "ok" {
        seen = next(&mut live, "overview").await.1;
    }
    assert_eq!(seen["voters_answering"], 3);
    // One that hangs is as silent as one that is gone.
    let third = (0..3).find(|member| ![leader, follower].contains(member)).unwrap();
    let hanging = cluster.members[third].id.to_string();
    cluster.members[third].pause();
    loop {
        let seen = next(&mut live, "overview").await.1;
        let members = seen["members"].as_array().unwrap();
        if members.iter().any(|member| member["id"] == hanging && member["health"] == "silent") {
            break;
        }
    }
    cluster.members[third].resume();
    cluster.stop().await;
}

/// A subtree as a file, and back: what somebody else has changed since it was compared is not written over.
#[tokio::test]
async fn a_subtree_is_a_file_and_comes_back() {
    let store = Store::start();
    store.put("app/a", "1").await;
    store.put("app/b/c", vec![0xFF]).await;
    store.put("other", "x").await;
    let file = store.http.get("/v3/keys?prefix=app/&recursive&download").await;
    assert_eq!((file.status.as_u16(), file.header("content-type")), (200, "application/x-ndjson"));
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"app-4.ndjson\"");
    let lines: Vec<Value> = file.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["value"], &lines[1]["value_b64"], lines.len()), (&json!("1"), &json!("/w=="), 2));
    let all = store.http.get("/v3/keys?recursive&download").await;
    assert_eq!(all.header("content-disposition"), "attachment; filename=\"keys-4.ndjson\"");

    let import = |guards: Value| {
        let operations = json!([
            {"put": {"key": "app/a", "value": "2"}}, {"put": {"key": "app/new", "value": "n"}}, {"delete": {"key": "app/b/c"}},
        ]);
        json!({"if": guards, "operations": operations}).to_string()
    };
    let as_compared = json!([
        {"key": "app/a", "mod_revision": lines[0]["mod_revision"]},
        {"key": "app/b/c", "mod_revision": lines[1]["mod_revision"]},
        {"key": "app/new", "exists": false},
    ]);
    let batch = async |body: String| store.http.send(Method::POST, "/v3/keys:batch", &[], body).await;
    store.put("app/a", "of somebody else").await;
    let refused = batch(import(as_compared.clone())).await;
    assert_eq!(problem(&refused), (412, "a condition does not hold: nothing was done".into()));
    assert_eq!(store.get("app/new").await.status, 404);
    let mut now = as_compared;
    now[0]["mod_revision"] = json!("5");
    let done = batch(import(now)).await;
    assert_eq!((done.status.as_u16(), &done.json()["results"][2]), (200, &json!({"delete": {"deleted": "1"}})));
    assert_eq!(store.get("app/a").await.text(), "2");
    let many: Vec<_> = (0..1000).map(|n| json!({"key": format!("none/{n}"), "exists": false})).collect();
    assert_eq!(batch(import(json!(many))).await.status, 200);
    let more: Vec<_> = (0..1001).map(|n| json!({"key": format!("none/{n}"), "exists": false})).collect();
    assert_eq!(problem(&batch(import(json!(more))).await).0, 400);
}
