//! Downgrades: what is refused, what all members agree on, and what a newer cluster's data is to an older program.

use keyport_api::etcdserverpb::downgrade_request::DowngradeAction;
use keyport_api::etcdserverpb::{DowngradeRequest, DowngradeResponse, StatusResponse};
use keyport_storage::backend::{Applied, Backend, BackendOptions, Batch, Bucket};
use keyport_tests::grpc::Grpc;
use keyport_tests::http::Http;
use keyport_tests::wait::{eventually, within};
use keyport_tests::{Cluster, Flavor, Server};
use serde_json::{Value, json};
use tonic::Status;

async fn downgrade(c: &mut Grpc, action: DowngradeAction, version: &str) -> Result<DowngradeResponse, Status> {
    let request = DowngradeRequest { action: action.into(), version: version.to_owned() };
    within("a downgrade", c.maintenance.downgrade(request)).await.map(tonic::Response::into_inner)
}

/// What is asked for, in an order in which each answer is another one: the first part before the cluster has the lower version, the
/// second one after.
const BEFORE: &[(&str, &str)] = &[
    ("VALIDATE", ""),
    ("VALIDATE", "3"),
    ("VALIDATE", "3.x"),
    ("VALIDATE", "v3.6"),
    ("VALIDATE", " 3.6"),
    ("VALIDATE", "3.6.0.1"),
    ("VALIDATE", "3.6"),
    ("VALIDATE", "3.6.0"),
    ("VALIDATE", "3.6.9"),
    ("VALIDATE", "03.6"),
    ("VALIDATE", "3.6.0-alpha"),
    ("VALIDATE", "3.7"),
    ("VALIDATE", "3.5"),
    ("VALIDATE", "3.8"),
    ("VALIDATE", "2.6"),
    ("VALIDATE", "4.0"),
    ("CANCEL", ""),
    ("ENABLE", "3.5"),
    ("ENABLE", "x"),
    ("ENABLE", "3.6.5"),
];
const AFTER: &[(&str, &str)] = &[
    ("VALIDATE", "3.6"),
    ("VALIDATE", "3.7"),
    ("VALIDATE", "3.5"),
    ("ENABLE", "3.6"),
    ("ENABLE", "3.5"),
    ("CANCEL", "no version"),
    ("CANCEL", ""),
];

/// The answers of a server to all of these, on both faces, as far as they do not name it.
async fn answers(server: &Server, requests: &[(&str, &str)]) -> Vec<Value> {
    let (mut c, http) = (server.grpc().await, server.http());
    let mut answers = Vec::new();
    for (action, version) in requests {
        let by_name = DowngradeAction::from_str_name(action).unwrap();
        // What changes something is asked for once.
        if *action == "VALIDATE" {
            let answer = downgrade(&mut c, by_name, version).await;
            let answer = answer.map(|done| done.version).map_err(|no| (i32::from(no.code()), no.message().to_owned()));
            answers.push(json!([action, version, format!("{answer:?}")]));
        }
        answers.push(json!([action, version, by_json(&http, action, version).await]));
    }
    answers
}

async fn by_json(http: &Http, action: &str, version: &str) -> Value {
    let body = json!({ "action": action, "version": version }).to_string();
    let answer = http.post("/v3/maintenance/downgrade", body).await;
    let mut shown = answer.json();
    if let Some(answer) = shown.as_object_mut() {
        answer.remove("header");
        // Of etcd up to 3.6, and kept for its clients.
        answer.remove("error");
    }
    json!([answer.status.as_u16(), shown])
}

async fn status(http: &Http) -> Value {
    http.call("/v3/maintenance/status", json!({})).await
}

#[tokio::test]
async fn each_answer_is_that_of_an_etcd_of_the_same_release() {
    let Some(peer) = Flavor::peers().into_iter().find(|peer| !peer.older_than("3.7")) else { return };
    let (ours, theirs) = (Server::of(Flavor::Keyport).start(), Server::of(peer).start());
    assert_eq!(answers(&ours, BEFORE).await, answers(&theirs, BEFORE).await);
    for server in [&ours, &theirs] {
        let http = server.http();
        eventually("the storage is of the lower version", async || {
            (status(&http).await["storageVersion"] == "3.6.0").then_some(())
        })
        .await;
        let info = &status(&http).await["downgradeInfo"];
        assert_eq!(*info, json!({ "enabled": true, "targetVersion": "3.6.0" }));
    }
    assert_eq!(answers(&ours, AFTER).await, answers(&theirs, AFTER).await);
    for server in [&ours, &theirs] {
        let http = server.http();
        assert_eq!(status(&http).await["downgradeInfo"], json!({}));
        eventually("it is what it was", async || (status(&http).await["storageVersion"] == "3.7.0").then_some(()))
            .await;
    }
}

fn is_lowered(status: &StatusResponse) -> bool {
    let info = status.downgrade_info.clone().unwrap();
    (info.enabled, info.target_version.as_str(), status.storage_version.as_str()) == (true, "3.6.0", "3.6.0")
}

async fn until_all(cluster: &Cluster, what: &str, is_so: impl Fn(&StatusResponse) -> bool) {
    for member in cluster.serving() {
        eventually(what, async || cluster.status(member).await.ok().filter(&is_so).map(drop)).await;
    }
}

/// Asked for on a follower, known to all, and so after each of them has been killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_know_of_a_downgrade() {
    let mut cluster = Cluster::of(3).args(["--downgrade-check-time=200ms"]).start().await;
    if cluster.flavor().older_than("3.7") {
        return;
    }
    until_all(&cluster, "the version is decided", |status| status.storage_version == "3.7.0").await;
    let follower = cluster.follower().await;
    let mut c = cluster.grpc(follower);
    assert_eq!(downgrade(&mut c, DowngradeAction::Enable, "3.6").await.unwrap().version, "3.7");
    until_all(&cluster, "the version is lowered", is_lowered).await;
    let versions = Http::new(cluster.members[follower].addr()).get("/version").await.json();
    assert_eq!((&versions["etcdcluster"], &versions["storage"]), (&json!("3.6.0"), &json!("3.6.0")));
    // No member is of the lower release, so it is not over, however often that is looked at.
    let leader = cluster.leader().await;
    let looked = if cluster.is_etcd() { "mismatching etcd version" } else { "not all members are of the release" };
    eventually("it was looked whether it is over", async || {
        (cluster.members[leader].logged(looked).len() >= 3).then_some(())
    })
    .await;
    for member in 0..3 {
        cluster.kill(member).await;
        cluster.restart(member).await;
        cluster.leader().await;
    }
    until_all(&cluster, "it is still lowered", is_lowered).await;
    let mut c = cluster.grpc(cluster.follower().await);
    assert_eq!(downgrade(&mut c, DowngradeAction::Cancel, "").await.unwrap().version, "3.6");
    until_all(&cluster, "the version is raised again", |status| {
        status.downgrade_info.clone().is_some_and(|info| !info.enabled) && status.storage_version == "3.7.0"
    })
    .await;
    cluster.check_logs();
}

/// A member's directory, as a later release would leave it.
fn of_a_newer_cluster(database: &std::path::Path) {
    let backend = Backend::open(database, BackendOptions::default()).unwrap();
    let Applied { index, term } = backend.durable_applied();
    let mut batch = Batch::new();
    batch.put(Bucket::Cluster, "clusterVersion", "3.8.0");
    backend.commit(batch, Some(Applied { index, term }));
    backend.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_clusters_member_does_not_start() {
    let mut server = Server::of(Flavor::Keyport).start();
    server.grpc().await.put("k", "v").await;
    server.stop();
    of_a_newer_cluster(&server.data_dir().join("member/snap/db"));
    let output = Server::of(Flavor::Keyport).data_dir(server.data_dir()).run_to_end();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(!output.status.success());
    assert!(told.contains("the cluster is of version 3.8.0") && told.contains("downgrade enable"), "{told}");
}
