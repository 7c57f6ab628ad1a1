//! One backup that three members restore, each for itself.

use std::path::Path;

use keyport_api::etcdserverpb::HashKvRequest;
use keyport_tests::cluster::{Cluster, TOKEN};
use keyport_tests::grpc::{Grpc, delete_all};
use keyport_tests::http::{Http, b64};
use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};
use serde_json::{Value, json};

use super::{REVISIONS, done, etcdutl, fill_open, keyport, text};

const BUMP: i64 = 1000;

/// What every member of either cluster has alike, at whatever revision.
async fn seen(http: Http) -> Vec<Value> {
    let mut found = Vec::new();
    for (path, body, names) in [
        ("kv/range", json!({ "key": b64("\0"), "range_end": b64("\0") }), &["kvs", "count"][..]),
        ("lease/leases", json!({}), &["leases"]),
        ("lease/timetolive", json!({ "ID": 7, "keys": true }), &["grantedTTL", "keys"]),
        ("auth/user/get", json!({ "name": "alice" }), &["roles"]),
        ("auth/role/get", json!({ "role": "reads" }), &["perm"]),
    ] {
        let answer = http.call(&format!("/v3/{path}"), body).await;
        found.extend(names.iter().map(|name| answer[name].clone()));
    }
    found
}

async fn hashes(mut c: Grpc, revisions: &[i64]) -> Vec<(u32, i64)> {
    let mut found = Vec::new();
    for revision in revisions {
        let hash = c.maintenance.hash_kv(HashKvRequest { revision: *revision }).await.unwrap().into_inner();
        found.push((hash.hash, hash.compact_revision));
    }
    found
}

/// Three members whose addresses are known, and what each has restored.
async fn restored(flavor: Flavor, file: &Path, more: &[&str]) -> Cluster {
    let mut cluster = Cluster::of(3).flavor(flavor).direct().start().await;
    cluster.stop().await;
    let everybody: Vec<_> = cluster.members.iter().map(|m| format!("{}={}", m.name, m.peer_url())).collect();
    for member in &cluster.members {
        let (data, url) = (member.data_dir().with_file_name("restored"), member.peer_url());
        let places = ["restore", text(file), "--data-dir", text(&data), "--name", &member.name];
        let cluster = ["--initial-cluster", &everybody.join(","), "--initial-cluster-token", TOKEN];
        let args = [&places[..], &cluster, &["--initial-advertise-peer-urls", &url], more].concat();
        done(&match flavor {
            Flavor::Keyport => keyport(&args),
            etcd => etcdutl(etcd, &[&["snapshot"], &args[..]].concat()),
        });
    }
    cluster.become_a(flavor, "restored");
    all_up(&mut cluster).await;
    cluster
}

async fn all_up(cluster: &mut Cluster) {
    for member in 0..3 {
        cluster.launch(member);
    }
    for member in 0..3 {
        cluster.until_ready(member).await;
    }
    cluster.leader().await;
}

/// Deletes most of it, compacts, defragments, and starts again, as [`super::lives_on`].
async fn live_on(mut cluster: Cluster) {
    let mut c = cluster.grpc(1);
    let revision = c.kv.delete_range(delete_all("k")).await.unwrap().into_inner().header.unwrap().revision;
    c.compact(revision).await;
    for member in 0..3 {
        cluster.members[member].http().call("/v3/maintenance/defragment", json!({})).await;
    }
    let revision = c.put("after", "v").await;
    cluster.stop().await;
    all_up(&mut cluster).await;
    assert_eq!(cluster.until_equal().await, revision);
    let mut c = cluster.grpc(2);
    assert!(c.get("k1").await.is_none() && c.get("after").await.is_some());
    cluster.check_logs();
}

/// Bumped, where the tool can do it: the hash is that of the file, of the new revision, and of what it marks as compacted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_keyport_start_as_a_cluster_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(Flavor::Keyport).start();
    fill_open(&server).await;
    let file = dir.path().join("backup.db");
    server.etcdctl().ok(&["snapshot", "save", text(&file)]);
    let (expected, before) = (seen(server.http()).await, hashes(server.grpc().await, &REVISIONS).await);
    let revision = server.grpc().await.revision().await;
    let bump = ["--bump-revision", &BUMP.to_string(), "--mark-compacted"];
    let mut bumped: Option<(u32, i64)> = None;
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::releases()) {
        let can_bump = !flavor.older_than("3.6");
        let cluster = restored(flavor, &file, if can_bump { &bump } else { &[] }).await;
        cluster.until_equal().await;
        for member in &cluster.members {
            assert_eq!(seen(member.http()).await, expected, "{flavor:?}");
        }
        if can_bump {
            assert_eq!(cluster.grpc(0).revision().await, revision + BUMP, "{flavor:?}");
            // The compaction goes on in the background.
            eventually("the hash that the others had", async || {
                let hash = hashes(cluster.grpc(2), &[0]).await[0];
                (*bumped.get_or_insert(hash) == hash).then_some(())
            })
            .await;
        } else {
            assert_eq!(hashes(cluster.grpc(2), &REVISIONS).await, before, "{flavor:?}");
        }
        live_on(cluster).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_etcd_start_as_a_cluster_here() {
    for flavor in Flavor::releases() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::of(flavor).start();
        fill_open(&server).await;
        let file = dir.path().join("backup.db");
        server.etcdctl().ok(&["snapshot", "save", text(&file)]);
        let (expected, before) = (seen(server.http()).await, hashes(server.grpc().await, &REVISIONS).await);
        let cluster = restored(Flavor::Keyport, &file, &[]).await;
        cluster.until_equal().await;
        for member in 0..3 {
            assert_eq!(seen(cluster.members[member].http()).await, expected, "{flavor:?}");
            assert_eq!(hashes(cluster.grpc(member), &REVISIONS).await, before, "{flavor:?}");
        }
        live_on(cluster).await;
    }
}
