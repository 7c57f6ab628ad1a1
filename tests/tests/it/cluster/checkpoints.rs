//! With the gate for it, the log holds how much time long leases have left, and a renewal says that it is the whole again.

use std::path::Path;

use keyport_api::etcdserverpb::LeaseTimeToLiveRequest;
use keyport_api::leasepb;
use keyport_storage::backend::{Backend, BackendOptions, Batch, Bucket};
use keyport_tests::Cluster;
use keyport_tests::grpc::Grpc;
use keyport_tests::wait::{eventually, within};
use prost::Message;

const TTL: i64 = 1000;
const LEFT: i64 = 300;

/// What a checkpoint leaves behind; members make one only every few minutes.
fn write_checkpoint(db: &Path, id: i64) {
    let backend = Backend::open(db, BackendOptions::default()).unwrap();
    let mut batch = Batch::new();
    let row = leasepb::Lease { id, ttl: TTL, remaining_ttl: LEFT };
    batch.put(Bucket::Lease, id.to_be_bytes().to_vec(), row.encode_to_vec());
    backend.commit(batch, None);
    backend.flush().unwrap();
}

/// The TTL that a renewal answers; none if the member does not renew it.
async fn renew(mut c: Grpc, id: i64) -> Option<i64> {
    Some(c.try_keep_alive(id).await.ok()??.ttl).filter(|ttl| *ttl > 0)
}

/// Seconds left, by the leader among some members.
async fn left(cluster: &Cluster, members: &[usize], id: i64) -> i64 {
    let leader = cluster.leader_among(members).await;
    let request = LeaseTimeToLiveRequest { id, keys: false };
    let mut c = cluster.grpc(leader);
    eventually("what is left", async || c.lease.lease_time_to_live(request).await.ok()).await.into_inner().ttl
}

/// Who hears of a renewal can rely on the whole TTL, whoever leads next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_is_answered_is_in_the_log() {
    let gates = "--feature-gates=LeaseCheckpoint=true,LeaseCheckpointPersist=true";
    let mut cluster = Cluster::of(3).args([gates]).start().await;
    if cluster.is_etcd() {
        // It answers first, and its database is another one.
        return;
    }
    let mut c = cluster.grpc(0);
    let (other, lease) = (c.grant(TTL).await, c.grant(TTL).await);
    cluster.until_equal().await;
    cluster.stop().await;
    for member in 0..3 {
        write_checkpoint(&cluster.members[member].data_dir().join("member/snap/db"), lease);
        cluster.launch(member);
    }
    for member in 0..3 {
        cluster.until_ready(member).await;
    }
    assert!(left(&cluster, &[0, 1, 2], lease).await < TTL / 2, "it goes on from the checkpoint");
    let former = cluster.leader().await;
    let others: Vec<usize> = (0..3).filter(|member| *member != former).collect();
    // It is sure that it leads, and nothing that it writes will count.
    assert_eq!(within("a renewal", renew(cluster.grpc(former), other)).await, Some(TTL));
    cluster.network.isolate(cluster.members[former].id);
    let renewal = tokio::spawn(renew(cluster.grpc(former), lease));
    let left_then = left(&cluster, &others, lease).await;
    cluster.network.heal();
    let renewed = within("an answer", renewal).await.unwrap();
    assert!(renewed.is_none() || left_then > TTL / 2, "renewed to {renewed:?}, but the next leader has {left_then}");
    // It can be renewed, and then for whoever leads.
    let leader = cluster.leader().await;
    eventually("a renewal", async || renew(cluster.grpc(leader), lease).await).await;
    cluster.kill(leader).await;
    assert!(left(&cluster, &cluster.serving(), lease).await > TTL / 2);
}
