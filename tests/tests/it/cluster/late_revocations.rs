//! A leader that finds leases expired, and does not know that it leads no longer: the next leader has renewed them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use keyport_api::etcdserverpb::{LeaseGrantRequest, LeaseKeepAliveRequest, LeaseLeasesRequest};
use keyport_tests::Cluster;
use keyport_tests::grpc::Grpc;
use keyport_tests::wait::{eventually, within};
use tokio::task::JoinSet;
use tonic::Status;

/// Seconds. Longer than a member waits for what it has proposed, which is 7: then it may propose the next.
const TTL: i64 = 8;
/// More than are revoked at once.
const LEASES: usize = 400;

/// Leases, and until when each of them lives at least, by what a leader answered.
struct Kept {
    promised: HashMap<i64, Instant>,
    /// Those that were gone before that.
    lost: usize,
}

impl Kept {
    async fn grant(c: &Grpc) -> Kept {
        let mut granting = JoinSet::new();
        for _ in 0..LEASES {
            let mut c = c.clone();
            granting.spawn(async move {
                let request = LeaseGrantRequest { ttl: TTL, id: 0 };
                within("a grant", c.lease.lease_grant(request)).await.unwrap().into_inner().id
            });
        }
        let now = Instant::now();
        Kept { promised: granting.join_all().await.into_iter().map(|id| (id, now)).collect(), lost: 0 }
    }

    /// One renewal of all; which of them live.
    async fn renew(&mut self, c: &mut Grpc) -> Result<usize, Status> {
        let ids: Vec<i64> = self.promised.keys().copied().collect();
        let requests = ids.clone().into_iter().map(|id| LeaseKeepAliveRequest { id });
        let asked = Instant::now();
        let mut answers = c.lease.lease_keep_alive(tokio_stream::iter(requests)).await?.into_inner();
        let mut living = 0;
        for id in ids {
            let Some(answer) = answers.message().await? else { return Err(Status::unavailable("the stream ended")) };
            assert_eq!(answer.id, id);
            let until = asked + Duration::from_secs(answer.ttl.try_into().unwrap());
            if answer.ttl > 0 {
                living += 1;
                self.promised.insert(id, until);
            } else if self.promised.remove(&id).is_some_and(|until| Instant::now() < until) {
                self.lost += 1;
            }
        }
        Ok(living)
    }

    /// Renews all through whoever leads, as soon as it can.
    async fn renew_once(&mut self, c: &mut Grpc) -> usize {
        eventually("renewals", async || within("renewals", self.renew(c)).await.ok()).await
    }
}

/// What the former leader had to say is said when it has followed for as long as the log is.
async fn caught_up(cluster: &Cluster, former: usize, leader: usize) {
    cluster.leader().await;
    let end = cluster.status(leader).await.unwrap().raft_applied_index;
    eventually("it has caught up", async || {
        (cluster.status(former).await.ok()?.raft_applied_index >= end).then_some(())
    })
    .await;
}

/// A leader that is in the middle of revoking them, and has more to do.
async fn revoking(cluster: &Cluster) -> (usize, Kept) {
    let leader = cluster.leader().await;
    let mut c = cluster.grpc(leader);
    let kept = Kept::grant(&c).await;
    // It takes its time.
    cluster.network.delay(cluster.members[leader].id, Duration::from_millis(100));
    eventually("it revokes", async || {
        let left = c.lease.lease_leases(LeaseLeasesRequest {}).await.ok()?.into_inner().leases.len();
        (left < LEASES).then_some(())
    })
    .await;
    (leader, kept)
}

/// The next leader renews what is left, and then the former one is heard again.
async fn renewed_by_another(cluster: &Cluster, former: usize, kept: &mut Kept) -> usize {
    let others: Vec<usize> = (0..3).filter(|member| *member != former).collect();
    let leader = cluster.leader_among(&others).await;
    let living = kept.renew_once(&mut cluster.grpc(leader)).await;
    assert!(living > 0, "all were revoked before");
    cluster.network.heal();
    leader
}

/// All that were renewed live on, whatever the former leader does now.
async fn live_on(cluster: &Cluster, former: usize, leader: usize, kept: &mut Kept) {
    let mut c = cluster.grpc(leader);
    kept.renew_once(&mut c).await;
    caught_up(cluster, former, leader).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(TTL as u64) {
        kept.renew_once(&mut c).await;
    }
    assert_eq!(kept.lost, 0, "and {} live, after m{leader} answered a TTL for all", kept.promised.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_leader_that_was_paused() {
    let mut cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        // Its leases are lost.
        return;
    }
    let (former, mut kept) = revoking(&cluster).await;
    cluster.members[former].pause();
    let leader = renewed_by_another(&cluster, former, &mut kept).await;
    cluster.members[former].resume();
    live_on(&cluster, former, leader, &mut kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_leader_whose_log_stood_still() {
    let cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return;
    }
    let (former, mut kept) = revoking(&cluster).await;
    let Some(stopped) = cluster.members[former].stop_thread("raft") else {
        eprintln!("skipped: may not trace");
        return;
    };
    let leader = renewed_by_another(&cluster, former, &mut kept).await;
    drop(stopped);
    live_on(&cluster, former, leader, &mut kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_leader_that_was_cut_off() {
    let cluster = Cluster::of(3).start().await;
    if cluster.is_etcd() {
        return;
    }
    let (former, mut kept) = revoking(&cluster).await;
    cluster.network.isolate(cluster.members[former].id);
    let leader = renewed_by_another(&cluster, former, &mut kept).await;
    live_on(&cluster, former, leader, &mut kept).await;
}
