//! Every member answers everything, and all answers are about one history.

use keyport_api::etcdserverpb::{CompactionRequest, MemberListRequest, MoveLeaderRequest, RangeRequest, TxnRequest};
use keyport_tests::Cluster;
use keyport_tests::grpc::{IntoOp, get, list, put, refused, revision, watch_all};
use keyport_tests::http::{b64, unb64};
use keyport_tests::wait::{eventually, within};
use serde_json::json;
use tonic::Code;

#[tokio::test]
async fn write_anywhere_read_anywhere() {
    let cluster = Cluster::of(3).start().await;
    let leader = cluster.leader().await;
    let mut watches = Vec::new();
    for member in 0..3 {
        let mut w = cluster.grpc(member).watch();
        w.create(watch_all("k")).await;
        watches.push(w);
    }
    let mut ids = Vec::new();
    for writer in 0..3 {
        let mut c = cluster.grpc(writer);
        let done = c.put_of(put(&format!("k{writer}"), "grpc")).await;
        let header = done.header.unwrap();
        assert_eq!(header.member_id, cluster.members[writer].id, "the header is of the member that answered");
        ids.push((header.cluster_id, header.raft_term));
        let text = json!({ "key": b64(format!("j{writer}")), "value": b64("json") });
        cluster.members[writer].http().call("/v3/kv/put", text).await;
        for reader in 0..3 {
            let mut c = cluster.grpc(reader);
            assert_eq!(c.get(&format!("k{writer}")).await.unwrap().mod_revision, header.revision);
            let found =
                cluster.members[reader].http().call("/v3/kv/range", json!({ "key": b64(format!("j{writer}")) })).await;
            assert_eq!(unb64(&found["kvs"][0]["value"]), b"json");
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "one cluster, one term");
    let both = TxnRequest { success: vec![put("k8", "").op(), put("k9", "").op()], ..TxnRequest::default() };
    let follower = (leader + 1) % 3;
    let at = revision(&cluster.grpc(follower).txn(both).await.header);
    for mut w in watches {
        let events = w.events(5).await;
        let revisions: Vec<i64> = events.iter().map(|e| e.kv.as_ref().unwrap().mod_revision).collect();
        assert_eq!(revisions, [2, 4, 6, at, at]);
    }
    // Compaction is replicated too.
    cluster.grpc(follower).compact(at - 1).await;
    cluster.until_equal().await;
    for member in 0..3 {
        let mut c = cluster.grpc(member);
        let old = RangeRequest { revision: 2, ..get("k0") };
        refused(c.kv.range(old).await, Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted");
        assert_eq!(c.range(list("k")).await.count, 5);
        let again = c.kv.compact(CompactionRequest { revision: at - 1, physical: false }).await;
        refused(again, Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted");
    }
}

#[tokio::test]
async fn everybody_knows_the_members_and_the_leader() {
    let cluster = Cluster::of(3).start().await;
    let leader = cluster.leader().await;
    // What a member knows by itself may be a moment old.
    let members = within("a list", cluster.list(leader, true)).await.unwrap();
    for member in 0..3 {
        let status = cluster.status(member).await.unwrap();
        assert_eq!(status.leader, cluster.members[leader].id);
        assert!(!status.is_learner && status.errors.is_empty(), "{status:?}");
        assert!(status.raft_applied_index > 0 && status.raft_index >= status.raft_applied_index);
        let mut c = cluster.grpc(member);
        let answer = within("a list", c.cluster.member_list(MemberListRequest { linearizable: true })).await.unwrap();
        let answer = answer.into_inner();
        assert_eq!(answer.header.unwrap().revision, 0, "never set here");
        assert_eq!(answer.members, members);
        eventually("it knows by itself", async || {
            cluster.list(member, false).await.ok().filter(|local| *local == members)
        })
        .await;
        let metrics = cluster.members[member].http().get("/metrics").await.text();
        let leads = format!("etcd_server_is_leader {}\n", u8::from(member == leader));
        assert!(metrics.contains(&leads) && metrics.contains("etcd_server_has_leader 1\n"), "m{member}");
        assert!(metrics.contains(&format!("etcd_server_id{{server_id=\"{:x}\"}} 1", cluster.members[member].id)));
    }
    let mut known: Vec<_> =
        members.iter().map(|m| (m.id, m.name.clone(), m.peer_ur_ls.clone(), m.client_ur_ls.clone())).collect();
    assert!(members.is_sorted_by_key(|m| m.id));
    known.sort_by_key(|m| m.1.clone());
    let want: Vec<_> =
        cluster.members.iter().map(|m| (m.id, m.name.clone(), vec![m.peer_url()], vec![m.url()])).collect();
    assert_eq!(known, want);
}

#[tokio::test]
async fn the_cluster_version_is_decided() {
    let cluster = Cluster::of(3).start().await;
    for member in 0..3 {
        let decided = eventually("a cluster version", async || {
            let version = cluster.members[member].http().get("/version").await.json();
            let decided = version["etcdcluster"].as_str()?.to_string();
            let server = version["etcdserver"].as_str()?.to_string();
            (decided != "not_decided" && decided.split('.').nth(1) == server.split('.').nth(1)).then_some(decided)
        })
        .await;
        assert!(decided.ends_with(".0"), "{decided}");
    }
}

#[tokio::test]
async fn moving_the_leader() {
    let cluster = Cluster::of(3).start().await;
    let leader = cluster.leader().await;
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let to = |member: usize| MoveLeaderRequest { target_id: cluster.members[member].id };
    let mut c = cluster.grpc(one);
    refused(c.maintenance.move_leader(to(other)).await, Code::FailedPrecondition, "etcdserver: not leader");
    let mut c = cluster.grpc(leader);
    let stranger = c.maintenance.move_leader(MoveLeaderRequest { target_id: 4711 }).await;
    refused(stranger, Code::FailedPrecondition, "etcdserver: bad leader transferee");
    within("to itself", c.maintenance.move_leader(to(leader))).await.unwrap();
    assert_eq!(cluster.leader().await, leader);
    within("to another", c.maintenance.move_leader(to(other))).await.unwrap();
    let status = cluster.status(leader).await.unwrap();
    assert_eq!(status.leader, cluster.members[other].id, "it is answered when it is done");
    assert_eq!(cluster.leader().await, other);
    cluster.grpc(leader).put("k", "v").await;
}

/// All members refuse it, or none: how far each of them is with the removal does not matter.
#[tokio::test]
async fn a_transaction_that_reads_what_is_compacted() {
    let cluster = Cluster::of(3).start().await;
    let mut c = cluster.grpc(0);
    for i in 0..20 {
        c.put("k", &i.to_string()).await; // 2 to 21
    }
    for (round, member) in (0..3).enumerate() {
        let mut c = cluster.grpc(member);
        let at = 10 + round as i64;
        c.kv.compact(CompactionRequest { revision: at, physical: false }).await.unwrap();
        let read = |revision: i64| RangeRequest { revision, ..get("k") }.op();
        let with = |revision| TxnRequest { success: vec![put("x", "").op(), read(revision)], ..TxnRequest::default() };
        let compacted = c.kv.txn(with(at - 1)).await;
        refused(compacted, Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted");
        let future = c.kv.txn(with(1000)).await;
        refused(future, Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision");
        assert_eq!(c.txn(with(at)).await.responses.len(), 2);
    }
    assert_eq!(cluster.until_equal().await, 24);
}

/// Members of one cluster give the same hash for the same revision.
#[tokio::test]
async fn hashes() {
    let cluster = Cluster::of(3).start().await;
    let mut c = cluster.grpc(0);
    for i in 0..50 {
        c.put(&format!("k{}", i % 7), &i.to_string()).await;
    }
    c.delete("k3").await;
    cluster.until_equal().await;
    let mut seen = Vec::new();
    for member in 0..3 {
        let mut c = cluster.grpc(member);
        let hash = c.maintenance.hash_kv(keyport_api::etcdserverpb::HashKvRequest { revision: 20 }).await;
        let hash = hash.unwrap().into_inner();
        seen.push((hash.hash, hash.compact_revision));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1);
}
