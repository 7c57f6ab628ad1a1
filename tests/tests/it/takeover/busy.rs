//! Users, and a compaction that is half done, under a client that writes before and after: there and back, of one member and of
//! three.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use http::Method;
use keyport_api::etcdserverpb::HashKvRequest;
use keyport_storage::bbolt::Reader;
use keyport_tests::Flavor;
use keyport_tests::cluster::Cluster;
use keyport_tests::grpc::{Grpc, put, text as utf8};
use keyport_tests::http::{Http, b64, unb64};
use keyport_tests::wait::eventually;
use serde_json::{Value, json};

use super::{copy, database, to_etcd};

const KEYS: u32 = 150;

/// A compaction of so many rows, one at a time with a pause, is not done within a second.
fn slowly(flavor: Flavor) -> Vec<String> {
    let flag = if flavor.older_than("3.6") { "experimental-compaction-batch-limit" } else { "compaction-batch-limit" };
    vec![format!("--{flag}=1")]
}

/// Somebody at one member.
struct Caller {
    http: Http,
    token: String,
}

impl Caller {
    async fn login(http: Http, user: &str) -> Caller {
        let body = json!({ "name": user, "password": format!("{user}'s") });
        let token = http.call("/v3/auth/authenticate", body).await["token"].as_str().unwrap().to_owned();
        Caller { http, token }
    }

    async fn try_call(&self, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("content-type", "application/json"), ("authorization", &self.token)];
        let answer = self.http.send(Method::POST, path, &headers, body.to_string()).await;
        (answer.status.as_u16(), answer.json())
    }

    async fn call(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.try_call(path, &body).await;
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer
    }
}

async fn root(cluster: &Cluster, member: usize) -> Caller {
    Caller::login(cluster.members[member].http(), "root").await
}

async fn fill(cluster: &Cluster) {
    let mut c = cluster.grpc(0);
    for n in 0..KEYS * 2 {
        c.put(&format!("k{}", n % KEYS), &format!("value {n}")).await;
    }
    let http = cluster.members[0].http();
    for (path, body) in [
        ("lease/grant", json!({ "ID": 7, "TTL": 10_000 })),
        ("kv/put", json!({ "key": b64("leased"), "value": b64("v"), "lease": 7 })),
        ("kv/deleterange", json!({ "key": b64("k3") })),
        ("auth/role/add", json!({ "name": "reads" })),
        ("auth/role/grant", json!({ "name": "reads", "perm": { "key": b64("k1") } })),
        ("auth/user/add", json!({ "name": "root", "password": "root's" })),
        ("auth/user/add", json!({ "name": "alice", "password": "alice's" })),
        ("auth/user/grant", json!({ "user": "root", "role": "root" })),
        ("auth/user/grant", json!({ "user": "alice", "role": "reads" })),
        ("auth/enable", json!({})),
    ] {
        http.call(&format!("/v3/{path}"), body).await;
    }
}

/// Users, leases and keys are what they were.
async fn check_the_rest(cluster: &Cluster, member: usize) {
    let alice = Caller::login(cluster.members[member].http(), "alice").await;
    let found = alice.call("/v3/kv/range", json!({ "key": b64("k1") })).await;
    assert_eq!(unb64(&found["kvs"][0]["value"]), format!("value {}", KEYS + 1).as_bytes());
    let (status, _) = alice.try_call("/v3/kv/put", &json!({ "key": b64("k1") })).await;
    assert_eq!(status, 403);
    let root = root(cluster, member).await;
    let lease = root.call("/v3/lease/timetolive", json!({ "ID": 7, "keys": true })).await;
    assert_eq!((&lease["grantedTTL"], &lease["keys"]), (&json!("10000"), &json!([b64("leased")])));
    assert!(root.call("/v3/kv/range", json!({ "key": b64("k3") })).await["kvs"].is_null());
}

type Known = BTreeMap<String, u32>;

/// Writes until the member is gone; what was acknowledged.
async fn write(mut c: Grpc, token: String, of: String) -> Known {
    let mut acknowledged = Known::new();
    for n in 0_u32.. {
        let key = format!("{of}/{}", n % 20);
        let mut request = tonic::Request::new(put(&key, &n.to_string()));
        request.metadata_mut().insert("token", token.parse().unwrap());
        match tokio::time::timeout(Duration::from_secs(5), c.kv.put(request)).await {
            Ok(Ok(_)) => drop(acknowledged.insert(key, n)),
            Ok(Err(_)) | Err(_) => return acknowledged,
        }
    }
    acknowledged
}

/// Writes to all members, begins a compaction in the midst of it, and kills them all before it is done.
async fn write_to_the_end(cluster: &mut Cluster, round: &str, compacted: i64, known: &mut Known) {
    let mut writers = Vec::new();
    for member in 0..cluster.members.len() {
        let token = root(cluster, member).await.token;
        writers.push(tokio::spawn(write(cluster.grpc(member), token, format!("{round}-{member}"))));
    }
    let root = root(cluster, 0).await;
    let witness = json!({ "key": b64(format!("{round}-0/19")) });
    eventually("much is written", async || {
        (!root.call("/v3/kv/range", witness.clone()).await["kvs"].is_null()).then_some(())
    })
    .await;
    root.call("/v3/kv/compaction", json!({ "revision": compacted })).await;
    // A hash is of what is in the file: so it is there by then that one was asked for.
    for member in 0..cluster.members.len() {
        let mut request = tonic::Request::new(HashKvRequest { revision: 0 });
        request.metadata_mut().insert("token", root.token.parse().unwrap());
        cluster.grpc(member).maintenance.hash_kv(request).await.unwrap();
    }
    for member in 0..cluster.members.len() {
        cluster.kill(member).await;
    }
    for writer in writers {
        known.extend(writer.await.unwrap());
    }
}

/// They say that they serve only with a leader; who that is they tell only those who have logged in.
async fn all_up(cluster: &mut Cluster) {
    for member in 0..cluster.members.len() {
        cluster.launch(member);
    }
    for member in 0..cluster.members.len() {
        cluster.until_ready(member).await;
    }
}

/// The hash at a revision, and what was compacted, once all members have the same there and at the end. Where that is, a vote
/// decides: a log may have more at its end than was acknowledged.
async fn hash(cluster: &Cluster, at: i64) -> (u32, i64) {
    let mut tokens = Vec::new();
    for member in 0..cluster.members.len() {
        tokens.push(root(cluster, member).await.token);
    }
    eventually("all members are equal", async || {
        let mut all = Vec::new();
        for (member, token) in tokens.iter().enumerate() {
            let (mut found, mut now) = (Vec::new(), 0);
            for revision in [at, 0] {
                let mut request = tonic::Request::new(HashKvRequest { revision });
                request.metadata_mut().insert("token", token.parse().unwrap());
                let told = cluster.grpc(member).maintenance.hash_kv(request).await.ok()?.into_inner();
                now = told.header?.revision;
                found.push((told.hash, told.compact_revision));
            }
            all.push((now, found));
        }
        all.dedup();
        (all.len() == 1).then(|| all[0].1[0])
    })
    .await
}

/// What is there of these keys.
async fn found(cluster: &Cluster, known: &Known) -> Known {
    let root = root(cluster, cluster.members.len() - 1).await;
    let mut found = Known::new();
    for key in known.keys() {
        let answer = root.call("/v3/kv/range", json!({ "key": b64(key) })).await;
        let value = utf8(&unb64(&answer["kvs"][0]["value"])).parse().ok();
        found.extend(value.map(|value| (key.clone(), value)));
    }
    found
}

async fn check_known(cluster: &Cluster, known: &Known) {
    let found = found(cluster, known).await;
    for (key, value) in known {
        let found = found.get(key);
        assert!(found >= Some(value), "{key}: {value} was acknowledged, {found:?} is there");
    }
}

/// What an etcd's database says of a compaction that was asked for, and of the last that was done.
fn is_half_done(data: &Path) -> bool {
    let reader = Reader::open(File::open(database(data)).unwrap()).unwrap();
    let mut buckets = reader.buckets().unwrap();
    let mut rows = buckets.find(b"meta").unwrap().unwrap();
    let (mut asked_for, mut done) = (None, None);
    while let Some(row) = rows.next_row().unwrap() {
        match row.key {
            b"scheduledCompactRev" => asked_for = Some(row.value.to_vec()),
            b"finishedCompactRev" => done = Some(row.value.to_vec()),
            _ => {}
        }
    }
    asked_for.is_some() && asked_for != done
}

async fn there_and_back(flavor: Flavor, members: usize) {
    let mut cluster = Cluster::of(members).flavor(flavor).args(slowly(flavor)).direct().start().await;
    fill(&cluster).await;
    let mut known = Known::new();
    let (first, second) = (i64::from(KEYS) + 20, i64::from(KEYS) + 120);
    let at = i64::from(KEYS) * 2;
    write_to_the_end(&mut cluster, "etcd", first, &mut known).await;
    for member in &cluster.members {
        assert!(is_half_done(member.data_dir()), "{flavor:?}: it is too quick, or never came to that");
        copy(member.data_dir(), &member.data_dir().with_file_name("copy"));
    }

    // What an etcd makes of it is what Keyport makes of it.
    cluster.become_a(flavor, "copy");
    all_up(&mut cluster).await;
    let expected = hash(&cluster, at).await;
    assert_eq!(expected.1, first);
    if members == 1 && flavor.older_than("3.6") {
        // Alone, etcd before 3.5.5 acknowledges what its log may not have yet (etcd#14370): what it finds itself is all there is.
        known = found(&cluster, &known).await;
    } else {
        check_known(&cluster, &known).await;
    }
    cluster.stop().await;
    cluster.become_a(Flavor::Keyport, "data");
    all_up(&mut cluster).await;
    assert_eq!(hash(&cluster, at).await, expected, "{flavor:?} {members}");
    check_known(&cluster, &known).await;
    check_the_rest(&cluster, 0).await;

    // The same the other way round.
    write_to_the_end(&mut cluster, "keyport", second, &mut known).await;
    for member in &cluster.members {
        to_etcd(member.data_dir(), &member.data_dir().with_file_name("back"));
        assert!(is_half_done(&member.data_dir().with_file_name("back")), "{flavor:?}: Keyport is too quick");
    }
    all_up(&mut cluster).await;
    let expected = hash(&cluster, at).await;
    assert_eq!(expected.1, second);
    cluster.stop().await;
    cluster.check_logs();
    cluster.become_a(flavor, "back");
    all_up(&mut cluster).await;
    assert_eq!(hash(&cluster, at).await, expected, "{flavor:?} {members}");
    check_known(&cluster, &known).await;
    check_the_rest(&cluster, members - 1).await;
    let root = root(&cluster, 0).await;
    root.call("/v3/kv/put", json!({ "key": b64("after"), "value": b64("v") })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_done_compaction_of_one_is_finished_on_the_other_side() {
    for flavor in Flavor::releases() {
        there_and_back(flavor, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_done_compaction_of_three_is_finished_on_the_other_side() {
    // (`three.rs` has the oldest.)
    for flavor in Flavor::releases().into_iter().take(2) {
        there_and_back(flavor, 3).await;
    }
}
