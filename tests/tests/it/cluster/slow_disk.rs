//! A leader whose disk is slow: what needs no sync waits for no more of them than it has to.

use std::future::poll_fn;
use std::task::Poll;

use keyport_api::etcdserverpb::{RangeRequest, RangeResponse};
use keyport_tests::Cluster;
use keyport_tests::cluster::syncs::HeldSyncs;
use keyport_tests::grpc::{Grpc, get, values};
use keyport_tests::wait::{eventually, within};
use tokio::task::JoinHandle;

use super::robustness::LONG;

const ROUNDS: usize = 10;
/// Rounds in which a read has to be in time.
const IN_TIME: usize = 2;
/// A read that comes during a sync is taken up after it, asks the others during the next one, and is answered after that,
/// before yet another one begins.
const NEEDED: usize = 2;
/// Looks in a row that find nothing new.
const QUIET: usize = 15;
/// Looks after which it is taken for quiet: a follower asks again twice a second, for as long as it has no answer.
const LOOKS: usize = 60;

/// Starts a call, and returns when the server has taken it up: it serves what comes after it on the connection.
async fn begun<T: Send + 'static>(c: &Grpc, call: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let (mut call, mut c) = (Box::pin(call), c.clone());
    poll_fn(|cx| {
        assert!(call.as_mut().poll(cx).is_pending(), "nothing is answered at once");
        Poll::Ready(())
    })
    .await;
    c.range(RangeRequest { serializable: true, ..get("k") }).await;
    tokio::spawn(call)
}

/// Clients of a cluster whose leader syncs when it is told to.
struct Slow<'a> {
    cluster: &'a Cluster,
    leader: usize,
    clients: Vec<Grpc>,
    syncs: HeldSyncs,
    writes: Vec<JoinHandle<i64>>,
}

impl<'a> Slow<'a> {
    /// `None` where one may not trace.
    async fn new(cluster: &'a Cluster, leader: usize) -> Option<Slow<'a>> {
        let clients: Vec<Grpc> = (0..3).map(|member| cluster.grpc(member)).collect();
        for c in &clients {
            // They are connected.
            c.clone().get("k").await;
        }
        let syncs = cluster.members[leader].hold_syncs()?;
        Some(Slow { cluster, leader, clients, syncs, writes: Vec::new() })
    }

    /// Gives the leader something to sync.
    async fn write(&mut self) {
        let c = &self.clients[self.leader];
        let mut writer = c.clone();
        let write = begun(c, async move { writer.put("other", "v").await }).await;
        self.writes.push(write);
    }

    /// Bytes that the leader has from the others.
    async fn heard(&self) -> f64 {
        let metrics = self.cluster.members[self.leader].http().get("/metrics").await.text();
        let received = metrics.lines().filter(|line| line.starts_with("etcd_network_peer_received_bytes_total{"));
        received.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until a sync stands still, and then until nothing more comes from the others, who have nothing to answer.
    async fn still(&mut self) {
        self.syncs.held().await;
        self.quiet().await;
    }

    async fn quiet(&self) {
        let (mut last, mut looks, mut in_a_row) = (-1.0, 0, 0);
        eventually("nothing is said", async || {
            let heard = self.heard().await;
            looks += 1;
            in_a_row = if heard > last { 0 } else { in_a_row + 1 };
            last = heard;
            (in_a_row >= QUIET || looks >= LOOKS).then_some(())
        })
        .await;
    }

    /// Waits until a follower has asked the leader again, as it does when an answer does not come soon.
    async fn asked_again(&self, through: usize) {
        if through != self.leader {
            let slow = async || self.cluster.members[through].metric("etcd_server_slow_read_indexes_total").await;
            let before = slow().await;
            eventually("it asks again", async || (slow().await > before).then_some(())).await;
        }
    }

    /// A read that begins during a sync; `None` if it is not answered after the syncs that it needs.
    async fn read(&mut self, through: usize) -> Option<RangeResponse> {
        self.write().await;
        self.still().await;
        let c = &self.clients[through];
        let mut reader = c.clone();
        let read = begun(c, async move { reader.kv.range(get("k")).await }).await;
        self.quiet().await;
        for sync in 1..=NEEDED {
            // So that each sync has one after it.
            self.write().await;
            self.syncs.release();
            self.still().await;
            if sync < NEEDED {
                self.asked_again(through).await;
            }
        }
        let seen = tokio::time::timeout(LONG, read).await.ok()?.unwrap();
        Some(seen.unwrap().into_inner())
    }
}

/// A read that did not come to the leader in time needs one sync more, so that not every one has to be in time; where more
/// syncs are needed, none is.
async fn reads_are_in_time(at_leader: bool) {
    // A leader that stands still is to stay the leader.
    let cluster = Cluster::of(3).args(["--election-timeout=50000"]).start().await;
    if cluster.is_etcd() {
        // Its threads are its own affair.
        return;
    }
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    cluster.grpc(leader).put("k", "v").await;
    cluster.until_equal().await;
    let through = if at_leader { leader } else { follower };
    let mut in_time = 0;
    for _ in 0..ROUNDS {
        let Some(mut slow) = Slow::new(&cluster, leader).await else {
            eprintln!("skipped: may not trace");
            return;
        };
        let seen = slow.read(through).await;
        assert!(seen.iter().all(|seen| values(seen) == ["v"]));
        in_time += usize::from(seen.is_some());
        let Slow { syncs, writes, .. } = slow;
        drop(syncs);
        for write in writes {
            within("a write", write).await.unwrap();
        }
        if in_time == IN_TIME {
            return;
        }
    }
    panic!("through m{through}: {in_time} of {ROUNDS}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_at_the_leader() {
    reads_are_in_time(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_through_a_follower() {
    reads_are_in_time(false).await;
}
