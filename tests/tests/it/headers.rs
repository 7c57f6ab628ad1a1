//! Which answers carry which fields of the header.

use keyport_api::etcdserverpb::{
    AlarmRequest, CompactionRequest, DefragmentRequest, HashKvRequest, HashRequest, LeaseLeasesRequest,
    LeaseRevokeRequest, MemberListRequest, PutRequest, ResponseHeader, SnapshotRequest, StatusRequest, TxnRequest,
};
use keyport_api::v3electionpb::CampaignRequest;
use keyport_api::v3lockpb::LockRequest;
use keyport_tests::Server;
use keyport_tests::grpc::{IntoOp, bytes, delete, get, put, revision, text, watch};
use keyport_tests::wait::within;

#[tokio::test]
async fn fields_by_call() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "v").await;
    c.put("k", "w").await; // 3
    let first = c.range(get("k")).await.header.unwrap();
    assert!(first.cluster_id != 0 && first.member_id != 0 && first.raft_term > 0 && first.revision == 3);
    let whole = |revision: i64, header: Option<ResponseHeader>, what: &str| {
        let want = ResponseHeader { revision, ..first };
        assert_eq!(header, Some(want), "{what}");
    };
    whole(3, c.kv.txn(TxnRequest::default()).await.unwrap().into_inner().header, "empty txn");
    whole(4, c.kv.put(put("k", "x")).await.unwrap().into_inner().header, "put");
    whole(5, c.kv.delete_range(delete("k")).await.unwrap().into_inner().header, "delete");
    let txn = TxnRequest { success: vec![put("k", "y").op()], ..TxnRequest::default() };
    whole(6, c.kv.txn(txn).await.unwrap().into_inner().header, "txn");
    whole(
        6,
        c.kv.compact(CompactionRequest { revision: 3, physical: false }).await.unwrap().into_inner().header,
        "compact",
    );
    let lease = c.lease.lease_grant(keyport_api::etcdserverpb::LeaseGrantRequest { ttl: 100, id: 0 }).await.unwrap();
    let id = lease.get_ref().id;
    whole(6, lease.into_inner().header, "grant");
    whole(6, c.keep_alive(id).await.header, "keep-alive");
    whole(6, c.lease.lease_leases(LeaseLeasesRequest {}).await.unwrap().into_inner().header, "leases");
    let ttl = keyport_api::etcdserverpb::LeaseTimeToLiveRequest { id, keys: false };
    whole(6, c.lease.lease_time_to_live(ttl).await.unwrap().into_inner().header, "time to live");
    let revoke = LeaseRevokeRequest { id };
    whole(6, c.lease.lease_revoke(revoke).await.unwrap().into_inner().header, "revoke");
    whole(6, c.maintenance.status(StatusRequest {}).await.unwrap().into_inner().header, "status");
    whole(6, c.maintenance.alarm(AlarmRequest::default()).await.unwrap().into_inner().header, "alarm");
    whole(6, c.maintenance.hash(HashRequest {}).await.unwrap().into_inner().header, "hash");
    whole(6, c.maintenance.hash_kv(HashKvRequest { revision: 0 }).await.unwrap().into_inner().header, "hashkv");
    let members = c.cluster.member_list(MemberListRequest { linearizable: true }).await.unwrap().into_inner().header;
    assert_eq!(members, Some(ResponseHeader { revision: 0, ..first }), "cluster calls have no revision");
    let mut w = c.watch();
    whole(6, w.create(watch("k")).await.header, "watch");
    assert_eq!(c.maintenance.defragment(DefragmentRequest {}).await.unwrap().into_inner().header, None);
    let mut snapshot = c.maintenance.snapshot(SnapshotRequest {}).await.unwrap().into_inner();
    while let Some(part) = snapshot.message().await.unwrap() {
        assert_eq!(part.header, None);
    }
}

/// Whatever changes keys answers with the revision at which it did, however many others change keys meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_revision_is_acknowledged_twice() {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 40;
    let server = Server::start();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let mut c = server.grpc().await;
        clients.spawn(async move {
            let mut changes = Vec::new();
            for round in 0..ROUNDS {
                let (name, lease) = (format!("e{client}-{round}"), c.grant(3600).await);
                let key = PutRequest { lease, ..put(&format!("k{client}"), "v") };
                changes.push(revision(&c.put_of(key).await.header));
                let campaign = CampaignRequest { name: bytes(&name), lease, value: bytes("v") };
                let won = within("campaign", c.election.campaign(campaign)).await.unwrap().into_inner();
                changes.push(revision(&won.header));
                assert_eq!(won.leader.unwrap().rev, revision(&won.header), "alone it leads as it enters");
                let name = bytes(&format!("l{client}-{round}"));
                let locked = within("lock", c.lock.lock(LockRequest { name, lease })).await.unwrap().into_inner();
                changes.push(revision(&locked.header));
                assert_eq!(c.get(&text(&locked.key)).await.unwrap().create_revision, revision(&locked.header));
                // Deletes all three.
                let revoke = LeaseRevokeRequest { id: lease };
                let revoked = within("revoke", c.lease.lease_revoke(revoke)).await.unwrap().into_inner();
                changes.push(revision(&revoked.header));
            }
            changes
        });
    }
    let mut changes = clients.join_all().await.concat();
    changes.sort_unstable();
    let want: Vec<i64> = (2..).take(CLIENTS * ROUNDS * 4).collect();
    assert!(changes == want, "each revision is somebody's: {changes:?}");
}

#[tokio::test]
async fn metadata() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let mut request = tonic::Request::new(get("k"));
    request.metadata_mut().insert("hasleader", "true".parse().unwrap());
    request.metadata_mut().insert("client-api-version", "3.5".parse().unwrap());
    if !server.older_than("3.6") {
        request.metadata_mut().insert("authorization", "Bearer ignored-while-auth-is-off".parse().unwrap());
    }
    c.kv.range(request).await.unwrap();
}
