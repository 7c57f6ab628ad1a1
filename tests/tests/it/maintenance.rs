//! Status, alarms, quota, hashes, snapshots, defragmentation, members.

use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::{
    AlarmRequest, AlarmResponse, AlarmType, CompactionRequest, DefragmentRequest, HashKvRequest, HashRequest,
    LeaseGrantRequest, LeaseRevokeRequest, MemberListRequest, SnapshotRequest, StatusRequest, TxnRequest,
};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, IntoOp, delete, get, put, refused};
use keyport_tests::wait::{eventually, within};
use tonic::Code;

const NO_SPACE: &str = "etcdserver: mvcc: database space exceeded";

async fn alarm(c: &mut Grpc, action: AlarmAction, kind: AlarmType, member_id: u64) -> AlarmResponse {
    let request = AlarmRequest { action: action.into(), member_id, alarm: kind.into() };
    c.maintenance.alarm(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn status() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    let s = c.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    let header = s.header.unwrap();
    assert_eq!((s.leader, s.is_learner, header.revision), (header.member_id, false, 2));
    assert!(s.raft_index >= s.raft_applied_index && s.raft_applied_index > 1 && s.raft_term == header.raft_term);
    assert!(s.db_size > 0 && s.db_size_in_use > 0 && s.db_size_in_use <= s.db_size && s.errors.is_empty(), "{s:?}");
    assert!(
        s.version.split('.').count() == 3 && s.version.split('.').all(|p| p.parse::<u32>().is_ok()),
        "{}",
        s.version
    );
    let mut writer = c.clone();
    let writes = tokio::spawn(async move {
        for _ in 0..500 {
            writer.put("k", "v").await;
        }
    });
    while !writes.is_finished() {
        let s = c.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
        assert!(s.raft_index >= s.raft_applied_index, "{s:?}");
    }
    writes.await.unwrap();
    if !server.older_than("3.6") {
        assert_eq!(s.db_size_quota, 2 << 30);
        assert!(!s.storage_version.is_empty() && s.downgrade_info.is_some());
    }
}

#[tokio::test]
async fn members() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let id = c.range(get("k")).await.header.unwrap().member_id;
    for linearizable in [true, false] {
        let list = c.cluster.member_list(MemberListRequest { linearizable }).await.unwrap().into_inner();
        let [member] = &list.members[..] else { panic!("{list:?}") };
        assert_eq!((member.id, member.name.as_str(), member.is_learner), (id, "n0", false));
        assert_eq!(member.client_ur_ls, [server.url()]);
        assert_eq!(member.peer_ur_ls.len(), 1);
    }
}

#[tokio::test]
async fn alarms_by_hand() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let me = c.range(get("k")).await.header.unwrap().member_id;
    assert!(alarm(&mut c, AlarmAction::Get, AlarmType::None, 0).await.alarms.is_empty());
    assert!(alarm(&mut c, AlarmAction::Activate, AlarmType::None, 7).await.alarms.is_empty(), "NONE does nothing");
    for _ in 0..2 {
        let raised = alarm(&mut c, AlarmAction::Activate, AlarmType::Nospace, 7).await.alarms;
        assert_eq!((raised.len(), raised[0].member_id, raised[0].alarm()), (1, 7, AlarmType::Nospace));
    }
    alarm(&mut c, AlarmAction::Activate, AlarmType::Nospace, me).await;
    let all = alarm(&mut c, AlarmAction::Get, AlarmType::None, 12345).await.alarms;
    assert_eq!(all.len(), 2, "the member is not looked at");
    assert_eq!(alarm(&mut c, AlarmAction::Get, AlarmType::Corrupt, 0).await.alarms.len(), 0);
    let status = c.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    assert!(
        status.errors.iter().any(|e| e.contains("memberID:7") && e.contains("alarm:NOSPACE")),
        "{:?}",
        status.errors
    );
    assert!(alarm(&mut c, AlarmAction::Deactivate, AlarmType::Nospace, 99).await.alarms.is_empty(), "no such one");
    assert!(alarm(&mut c, AlarmAction::Deactivate, AlarmType::Corrupt, 7).await.alarms.is_empty());
    assert_eq!(alarm(&mut c, AlarmAction::Get, AlarmType::None, 0).await.alarms.len(), 2);
    alarm(&mut c, AlarmAction::Deactivate, AlarmType::Nospace, 7).await;
    alarm(&mut c, AlarmAction::Deactivate, AlarmType::Nospace, me).await;
    assert!(alarm(&mut c, AlarmAction::Get, AlarmType::None, 0).await.alarms.is_empty());
    c.put("k", "v").await;
}

#[tokio::test]
async fn an_unknown_action_is_refused() {
    let server = Server::start();
    if server.is_etcd() {
        return; // it crashes
    }
    let mut c = server.grpc().await;
    assert!(c.maintenance.alarm(AlarmRequest { action: 9, ..AlarmRequest::default() }).await.is_err());
    c.put("k", "v").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_space() {
    let mut server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await; // 2
    let lease = c.grant(100).await;
    let me = c.range(get("k")).await.header.unwrap().member_id;
    alarm(&mut c, AlarmAction::Activate, AlarmType::Nospace, me).await;
    let check = async |c: &mut Grpc| {
        refused(c.kv.put(put("k", "x")).await, Code::ResourceExhausted, NO_SPACE);
        let grant = LeaseGrantRequest { ttl: 10, id: 0 };
        refused(c.lease.lease_grant(grant).await, Code::ResourceExhausted, NO_SPACE);
        let txn = TxnRequest { failure: vec![put("k", "x").op()], ..TxnRequest::default() };
        refused(c.kv.txn(txn).await, Code::ResourceExhausted, NO_SPACE); // in the branch that is not taken
        assert_eq!(c.get("k").await.unwrap().value, "v");
    };
    check(&mut c).await;
    assert!(c.keep_alive(lease).await.ttl > 0);
    let txn = TxnRequest { success: vec![delete("no").op(), get("k").op()], ..TxnRequest::default() };
    c.txn(txn).await;
    c.kv.compact(CompactionRequest { revision: 1, physical: false }).await.unwrap();
    let answer = server.http().get("/health").await;
    assert_eq!(answer.status, 503);
    assert_eq!((&answer.json()["health"], &answer.json()["reason"]), (&"false".into(), &"ALARM NOSPACE".into()));
    assert_eq!(server.http().get("/health?exclude=NOSPACE").await.status, 200);
    c.lease.lease_revoke(LeaseRevokeRequest { id: lease }).await.unwrap();
    c.delete("k").await;
    // An alarm outlives a restart.
    server.stop();
    server.restart_unhealthy();
    let mut c = server.grpc().await;
    assert_eq!(alarm(&mut c, AlarmAction::Get, AlarmType::Nospace, 0).await.alarms.len(), 1);
    refused(c.kv.put(put("k", "x")).await, Code::ResourceExhausted, NO_SPACE);
}

/// Thirteen pages, as tests of etcd's clients like it: enough to begin with, soon full, and useful again after that.
#[tokio::test]
async fn a_tiny_quota() {
    let server = Server::builder().args(["--quota-backend-bytes=53248", "--backend-batch-interval=10ms"]).start();
    let mut c = server.grpc().await;
    let value = "x".repeat(500);
    c.kv.put(put("first", &value)).await.expect("an empty database has room");
    let refusal = eventually("the quota is reached", async || c.kv.put(put("k", &value)).await.err()).await;
    refused(Err::<(), _>(refusal), Code::ResourceExhausted, NO_SPACE);
    let revision = c.revision().await;
    c.kv.compact(CompactionRequest { revision, physical: true }).await.unwrap();
    within("defragment", c.maintenance.defragment(DefragmentRequest {})).await.unwrap();
    let raised = alarm(&mut c, AlarmAction::Get, AlarmType::None, 0).await.alarms;
    alarm(&mut c, AlarmAction::Deactivate, AlarmType::Nospace, raised[0].member_id).await;
    c.kv.put(put("k", "v")).await.expect("there is room again");
    assert_eq!(c.get("first").await.unwrap().value, value.as_bytes());
}

#[tokio::test]
async fn corrupt() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    alarm(&mut c, AlarmAction::Activate, AlarmType::Corrupt, 7).await;
    let text = "etcdserver: corrupt cluster";
    refused(c.kv.put(put("k", "x")).await, Code::DataLoss, text);
    refused(c.kv.delete_range(delete("k")).await, Code::DataLoss, text);
    refused(
        c.kv.txn(TxnRequest { success: vec![put("k", "x").op()], ..TxnRequest::default() }).await,
        Code::DataLoss,
        text,
    );
    refused(c.kv.compact(CompactionRequest { revision: 1, physical: false }).await, Code::DataLoss, text);
    refused(c.lease.lease_grant(LeaseGrantRequest { ttl: 10, id: 0 }).await, Code::DataLoss, text);
    refused(c.lease.lease_revoke(LeaseRevokeRequest { id: 1 }).await, Code::DataLoss, text);
    assert_eq!(c.get("k").await.unwrap().value, "v");
    c.txn(TxnRequest { success: vec![get("k").op()], ..TxnRequest::default() }).await;
    alarm(&mut c, AlarmAction::Deactivate, AlarmType::Corrupt, 7).await;
    c.put("k", "x").await;
}

/// Writing until the quota is reached raises the alarm by itself; it goes only by hand.
#[tokio::test]
async fn a_quota() {
    let server = Server::builder().args(["--quota-backend-bytes", "8000000"]).start();
    let mut c = server.grpc().await;
    let value = "x".repeat(100_000);
    let mut failure = None;
    for i in 0..400 {
        if let Err(status) = within("put", c.kv.put(put(&format!("k{}", i % 10), &value))).await {
            failure = Some(status);
            break;
        }
    }
    refused(Err::<(), _>(failure.expect("the quota is reached")), Code::ResourceExhausted, NO_SPACE);
    let raised = alarm(&mut c, AlarmAction::Get, AlarmType::None, 0).await.alarms;
    assert_eq!((raised.len(), raised[0].alarm()), (1, AlarmType::Nospace));
    let revision = c.revision().await;
    for i in 0..10 {
        c.delete(&format!("k{i}")).await;
    }
    c.compact(revision + 10).await;
    within("defragment", c.maintenance.defragment(DefragmentRequest {})).await.unwrap();
    let status = c.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    assert!(status.db_size < 4_000_000, "{} bytes left after a defragmentation", status.db_size);
    refused(c.kv.put(put("k", "v")).await, Code::ResourceExhausted, NO_SPACE);
    alarm(&mut c, AlarmAction::Deactivate, AlarmType::Nospace, raised[0].member_id).await;
    c.put("k", "v").await;
}

#[tokio::test]
async fn hashes() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for i in 0..6 {
        c.put("k", &i.to_string()).await; // 2 to 7
    }
    let hash = async |c: &mut Grpc, revision: i64| c.maintenance.hash_kv(HashKvRequest { revision }).await;
    let now = hash(&mut c, 0).await.unwrap().into_inner();
    assert_eq!((now.compact_revision, now.header.unwrap().revision), (-1, 7));
    let at = hash(&mut c, 7).await.unwrap().into_inner();
    assert_eq!(at.hash, now.hash);
    assert_ne!(hash(&mut c, 6).await.unwrap().into_inner().hash, now.hash);
    refused(hash(&mut c, 8).await, Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision");
    if !server.older_than("3.6") {
        assert_eq!((now.hash_revision, at.hash_revision), (7, 7));
    }
    c.compact(4).await;
    let compacted = "etcdserver: mvcc: required revision has been compacted";
    refused(hash(&mut c, 3).await, Code::OutOfRange, compacted);
    let after = hash(&mut c, 7).await.unwrap().into_inner();
    assert_eq!(after.compact_revision, 4);
    if !server.older_than("3.6") {
        // Hashes of recent compactions are kept, with what was compacted before.
        let kept = hash(&mut c, 4).await.unwrap().into_inner();
        assert_eq!(kept.compact_revision, -1);
        c.compact(6).await;
        let again = hash(&mut c, 4).await.unwrap().into_inner();
        assert_eq!((again.hash, again.compact_revision), (kept.hash, -1));
        assert_eq!(hash(&mut c, 6).await.unwrap().into_inner().compact_revision, 4);
    }
    let one = c.maintenance.hash(HashRequest {}).await.unwrap().into_inner().hash;
    assert_eq!(one, c.maintenance.hash(HashRequest {}).await.unwrap().into_inner().hash);
}

#[tokio::test]
async fn snapshots() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for i in 0..50 {
        c.put(&format!("k{i}"), &"x".repeat(5000)).await;
    }
    let mut parts = c.maintenance.snapshot(SnapshotRequest {}).await.unwrap().into_inner();
    let (mut left, mut total, mut last) = (None, 0, 0);
    while let Some(part) = within("a part", parts.message()).await.unwrap() {
        if !server.older_than("3.6") {
            assert!(!part.version.is_empty());
        }
        assert!(part.blob.len() <= 32 << 10);
        if part.remaining_bytes == 0 && left == Some(0) {
            assert_eq!(part.blob.len(), 32, "the digest");
        }
        if let Some(before) = left {
            let less = if part.blob.len() == 32 && before == 0 { 0 } else { part.blob.len() as u64 };
            assert_eq!(before - less, part.remaining_bytes);
        }
        left = Some(part.remaining_bytes);
        total += part.blob.len();
        last = part.blob.len();
    }
    assert_eq!((left, last), (Some(0), 32));
    assert_eq!((total - 32) % 512, 0);
    assert!(total > 250_000);
}

#[tokio::test]
async fn defragmenting_keeps_everything() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for i in 0..200 {
        c.put(&format!("k{i}"), &"x".repeat(1000)).await;
    }
    let before = c.maintenance.hash_kv(HashKvRequest { revision: 0 }).await.unwrap().into_inner().hash;
    let mut other = server.grpc().await;
    let writing = tokio::spawn(async move {
        for i in 0..200 {
            other.put("other", &i.to_string()).await;
        }
    });
    within("defragment", c.maintenance.defragment(DefragmentRequest {})).await.unwrap();
    writing.await.unwrap();
    assert_eq!(c.maintenance.hash_kv(HashKvRequest { revision: 201 }).await.unwrap().into_inner().hash, before);
    assert_eq!(c.get("other").await.unwrap().version, 200);
}
