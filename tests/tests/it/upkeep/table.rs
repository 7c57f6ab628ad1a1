//! The service Maintenance as a table: each request on both faces, beside a real etcd of the release that Keyport follows.

use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::{
    AlarmRequest, AlarmType, CompactionRequest, HashKvRequest, HashKvResponse, MemberAddRequest, MemberListRequest,
    MoveLeaderRequest, StatusRequest, StatusResponse,
};
use keyport_tests::grpc::Grpc;
use keyport_tests::http::Http;
use keyport_tests::wait::{eventually, within};
use keyport_tests::{Cluster, Flavor, Server};
use serde_json::{Value, json};
use tonic::Status;

fn etcd() -> Option<Flavor> {
    Flavor::peers().into_iter().find(|peer| !peer.older_than("3.7"))
}

/// What was refused, in both forms; or what was answered, without what names the server.
async fn in_json(http: &Http, path: &str, body: Value) -> Value {
    let answer = http.post(path, body.to_string()).await;
    let mut shown = answer.json();
    if let Some(fields) = shown.as_object_mut() {
        fields.remove("header");
        // Of etcd up to 3.6, and kept for its clients.
        fields.remove("error");
    }
    json!([path, body, answer.status.as_u16(), shown])
}

fn refusal(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

/// Both faces' hashes at each revision, refusals included, and what was compacted.
async fn hashes(server: &Server) -> Vec<Value> {
    let (mut c, http) = (server.grpc().await, server.http());
    let mut answers = Vec::new();
    let revisions = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 100, i64::MAX, i64::MIN];
    for compacted in [0, 3, 5] {
        if compacted == 0 {
            for number in 0..6 {
                c.put("k", &number.to_string()).await;
            }
        } else {
            c.kv.compact(CompactionRequest { revision: compacted, physical: true }).await.unwrap();
        }
        for revision in revisions {
            let answer = c.maintenance.hash_kv(HashKvRequest { revision }).await.map(tonic::Response::into_inner);
            let answer = answer.map(|HashKvResponse { hash, compact_revision, hash_revision, header }| {
                json!([hash, compact_revision, hash_revision, header.map(|header| header.revision)])
            });
            answers.push(json!([compacted, revision, answer.map_err(|status| refusal(&status))]));
            answers.push(in_json(&http, "/v3/maintenance/hashkv", json!({ "revision": revision.to_string() })).await);
        }
        answers.push(in_json(&http, "/v3/maintenance/hashkv", json!({})).await);
    }
    answers
}

#[tokio::test]
async fn hashes_at_every_revision() {
    let Some(etcd) = etcd() else { return };
    let (ours, theirs) = (Server::of(Flavor::Keyport).start(), Server::of(etcd).start());
    let (ours, theirs) = (hashes(&ours).await, hashes(&theirs).await);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

/// Fields whose values are the server's own, as far as they are the same kind of thing.
fn shape(status: &Value) -> Value {
    let mut shown = status.clone();
    let fields = shown.as_object_mut().expect("an object");
    for own in ["header", "leader", "raftIndex", "raftTerm", "raftAppliedIndex", "dbSize", "dbSizeInUse"] {
        let value = fields.remove(own).unwrap_or_default();
        let is_there = value.as_object().is_some() || value.as_str().is_some_and(|text| text.parse::<u64>().is_ok());
        fields.insert(own.to_owned(), json!(is_there));
    }
    // Which patch of the release is its own business.
    let version = fields.remove("version").unwrap_or_default();
    let minor = version.as_str().and_then(|text| text.rsplit_once('.')).map(|(minor, _)| minor.to_owned());
    fields.insert("version".to_owned(), json!(minor));
    shown
}

/// A server's status on both faces, which have to say the same.
async fn status(c: &mut Grpc, http: &Http) -> (StatusResponse, Value) {
    eventually("the version is decided", async || {
        let told = c.maintenance.status(StatusRequest {}).await.ok()?.into_inner();
        (told.storage_version == "3.7.0").then_some(())
    })
    .await;
    let told = c.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    let shown = http.call("/v3/maintenance/status", json!({})).await;
    let number = |name: &str| shown[name].as_str().unwrap_or("0").parse::<i64>().unwrap();
    assert_eq!(told.db_size_quota, number("dbSizeQuota"));
    assert_eq!(u64::try_from(number("raftTerm")).unwrap(), told.raft_term);
    assert_eq!(shown["storageVersion"], json!(told.storage_version));
    assert_eq!(shown["isLearner"].as_bool().unwrap_or(false), told.is_learner);
    assert_eq!(shown["leader"].as_str().map_or(0, |id| id.parse::<u64>().unwrap()), told.leader);
    let mut errors: Vec<&str> = shown["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut told_errors = told.errors.clone();
    // etcd has them in no order.
    errors.sort_unstable();
    told_errors.sort_unstable();
    assert_eq!(errors, told_errors);
    (told, shown)
}

/// Quotas as they are given, and the texts of alarms, of members that are there and others. etcd writes two blanks in them at times.
async fn statuses(flavor: Flavor) -> Vec<Value> {
    let mut answers = Vec::new();
    for flags in [&[][..], &["--quota-backend-bytes=123456789"], &["--quota-backend-bytes=0"]] {
        let server = Server::of(flavor).args(flags).start();
        let (mut c, http) = (server.grpc().await, server.http());
        c.put("k", "v").await;
        answers.push(shape(&status(&mut c, &http).await.1));
        for (member_id, alarm) in [(7, AlarmType::Nospace), (7, AlarmType::Corrupt), (0, AlarmType::Corrupt)] {
            let request = AlarmRequest { action: AlarmAction::Activate.into(), member_id, alarm: alarm.into() };
            c.maintenance.alarm(request).await.unwrap();
        }
        let (told, shown) = status(&mut c, &http).await;
        let mut errors: Vec<String> = told.errors.iter().map(|text| words(text)).collect();
        errors.sort();
        let mut shown = shape(&shown);
        shown["errors"] = json!(errors);
        answers.push(shown);
    }
    answers
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_field_of_a_status() {
    let Some(etcd) = etcd() else { return };
    let (ours, theirs) = (statuses(Flavor::Keyport).await, statuses(etcd).await);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}

/// Every attempt to move the leader that fails, on the leader and on a follower, and some that do nothing; on both faces.
async fn moves(flavor: Flavor) -> Vec<Value> {
    let cluster = Cluster::of(3).flavor(flavor).start().await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    eventually("the cluster may grow", async || {
        let request = MemberAddRequest { peer_ur_ls: vec!["http://127.0.0.1:1".into()], is_learner: true };
        cluster.grpc(leader).cluster.member_add(request).await.ok()
    })
    .await;
    let members =
        cluster.grpc(leader).cluster.member_list(MemberListRequest::default()).await.unwrap().into_inner().members;
    let learner = members.iter().find(|member| member.is_learner).expect("just added").id;
    let ids = [("leader", cluster.members[leader].id), ("follower", cluster.members[follower].id)];
    let mut answers = Vec::new();
    for (to, target) in ids.into_iter().chain([("nobody", 0), ("stranger", 4711), ("learner", learner)]) {
        for (at, member) in [("follower", follower), ("leader", leader)] {
            if (at, to) == ("leader", "follower") {
                continue; // that one is done
            }
            let mut c = cluster.grpc(member);
            let answer = within("a move", c.maintenance.move_leader(MoveLeaderRequest { target_id: target })).await;
            let answer = answer.map(|done| done.into_inner().header.is_some()).map_err(|status| refusal(&status));
            let http = cluster.members[member].http();
            let body = json!({ "targetID": target.to_string() });
            let mut shown = in_json(&http, "/v3/maintenance/transfer-leadership", body).await;
            shown[1] = json!(null);
            answers.push(json!([at, to, answer, shown]));
        }
    }
    let mut c = cluster.grpc(leader);
    let request = MoveLeaderRequest { target_id: cluster.members[follower].id };
    let answer = within("a move", c.maintenance.move_leader(request)).await.unwrap().into_inner();
    answers.push(json!(["leader", "follower", answer.header.is_some()]));
    eventually("the follower leads", async || (cluster.leader().await == follower).then_some(())).await;
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_moved_or_not() {
    let Some(etcd) = etcd() else { return };
    let (ours, theirs) = (moves(Flavor::Keyport).await, moves(etcd).await);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}
