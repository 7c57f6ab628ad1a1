//! Members that fell behind: by log while it is kept, by snapshot past that, and what happens in the middle of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use keyport_api::etcdserverpb::{RangeRequest, WatchCreateRequest};
use keyport_tests::cluster::Builder;
use keyport_tests::grpc::{get, revision, watch};
use keyport_tests::history::Traffic;
use keyport_tests::wait::eventually;
use keyport_tests::{Cluster, Flavor};
use tokio::task::JoinSet;

/// The log is kept for a few entries only.
pub(super) fn short_log(members: usize) -> Builder {
    let keep = match Flavor::under_test().older_than("3.6") {
        true => "--experimental-snapshot-catchup-entries=20",
        false => "--snapshot-catchup-entries=20",
    };
    Cluster::of(members).args(["--snapshot-count=50", keep])
}

pub(super) async fn received(cluster: &Cluster, member: usize) -> f64 {
    let metrics = cluster.members[member].http().get("/metrics").await.text();
    let of = |line: &str| {
        let value = line.starts_with("etcd_network_snapshot_receive_success{").then(|| line.rsplit(' ').next());
        value.flatten()?.parse::<f64>().ok()
    };
    metrics.lines().filter_map(of).sum::<f64>()
}

/// More entries than clients have under way at once: a leader sends them before its own disk has them, and they count.
const UNDER_WAY: u64 = 30;

/// The last entry that a member counts. A follower may have some more, see [`UNDER_WAY`].
pub(super) async fn log_end(cluster: &Cluster, member: usize) -> u64 {
    cluster.status(member).await.unwrap().raft_index
}

/// Waits until a leader has let go of what a follower needs that it lost when its log ended at `index`: that one gets a
/// snapshot. A leader keeps this for a while; etcd's does not.
pub(super) async fn forgotten(cluster: &Cluster, leader: usize, index: u64) {
    if cluster.is_etcd() {
        return;
    }
    eventually("the log begins later", async || {
        let first = cluster.members[leader].metric("keyport_raft_log_first_index").await;
        (first > (index + UNDER_WAY) as f64).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_log() {
    let mut cluster = Cluster::of(3).start().await;
    let traffic = Traffic::start(&cluster, 3).await;
    let follower = cluster.follower().await;
    cluster.kill(follower).await;
    traffic.progress(300).await;
    cluster.restart(follower).await;
    traffic.progress(30).await;
    traffic.finish(&cluster).await;
    assert_eq!(received(&cluster, follower).await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_snapshot_after_a_restart() {
    let mut cluster = short_log(3).start().await;
    let traffic = Traffic::start(&cluster, 4).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    cluster.kill(follower).await;
    let end = log_end(&cluster, leader).await;
    traffic.progress(400).await;
    forgotten(&cluster, leader, end).await;
    cluster.restart(follower).await;
    traffic.progress(30).await;
    traffic.finish(&cluster).await;
    assert!(received(&cluster, follower).await >= 1.0);
}

/// Its watchers stay connected, and see every change all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_snapshot_while_it_serves() {
    let cluster = short_log(3).start().await;
    let traffic = Traffic::start(&cluster, 5).await;
    let follower = cluster.follower().await;
    for round in 0..2 {
        let leader = cluster.leader().await;
        cluster.network.isolate(cluster.members[follower].id);
        let end = log_end(&cluster, leader).await;
        traffic.progress(400).await;
        forgotten(&cluster, leader, end).await;
        // What is under way is lost.
        cluster.network.reset(cluster.members[follower].id);
        cluster.network.heal();
        let want = f64::from(round) + 1.0;
        eventually("a snapshot", async || (received(&cluster, follower).await >= want).then_some(())).await;
        cluster.leader().await;
    }
    traffic.finish(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_member_by_snapshot() {
    let mut cluster = short_log(3).start().await;
    let mut traffic = Traffic::start(&cluster, 6).await;
    traffic.progress(300).await;
    let leader = cluster.leader().await;
    let new = cluster.add(leader, false).await;
    cluster.restart(new).await;
    assert!(received(&cluster, new).await >= 1.0);
    traffic.follow(&cluster, new, 6);
    traffic.progress(100).await;
    traffic.finish(&cluster).await;
}

const MEGABYTE: u64 = 1 << 20;

/// Eight megabytes of data, and a follower that is `away` when so much is written that only a snapshot brings it back. What is
/// written meanwhile still fits into the log.
async fn far_behind(away: impl AsyncFnOnce(&mut Cluster, usize)) -> (Cluster, usize) {
    let keep = match Flavor::under_test().older_than("3.6") {
        true => "--experimental-snapshot-catchup-entries=1000",
        false => "--snapshot-catchup-entries=1000",
    };
    let mut cluster = Cluster::of(3).args(["--snapshot-count=200", keep]).start().await;
    let follower = cluster.follower().await;
    let leader = cluster.leader().await;
    let mut c = cluster.grpc(leader);
    for i in 0..8 {
        c.put(&format!("big/{i}"), &format!("{i}").repeat(1 << 20)).await;
    }
    away(&mut cluster, follower).await;
    let end = log_end(&cluster, leader).await;
    let mut writers = Vec::new();
    for writer in 0..16 {
        let mut c = c.clone();
        writers.push(tokio::spawn(async move {
            for i in 0..100 {
                c.put(&format!("small/{writer}"), &i.to_string()).await;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    forgotten(&cluster, leader, end).await;
    (cluster, follower)
}

async fn a_third(cluster: &Cluster, id: u64, before: u64) {
    eventually("a third of it has come", async || {
        (cluster.network.passed_to(id) > before + 3 * MEGABYTE).then_some(())
    })
    .await;
}

/// Killed while half of it has come, it starts with what it had before, and gets another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_a_snapshot() {
    let (mut cluster, follower) = far_behind(async |cluster, follower| cluster.kill(follower).await).await;
    let mut traffic = Traffic::start(&cluster, 7).await;
    let id = cluster.members[follower].id;
    for _ in 0..2 {
        cluster.network.throttle(id, 1 << 20);
        let before = cluster.network.passed_to(id);
        cluster.launch(follower);
        a_third(&cluster, id, before).await;
        cluster.kill(follower).await;
    }
    cluster.network.heal();
    cluster.restart(follower).await;
    traffic.follow(&cluster, follower, 7);
    traffic.progress(50).await;
    traffic.finish(&cluster).await;
    assert!(received(&cluster, follower).await >= 1.0);
}

/// The connection breaks in the middle instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_in_the_middle_of_a_snapshot() {
    let isolated = async |cluster: &mut Cluster, follower: usize| {
        cluster.network.isolate(cluster.members[follower].id);
    };
    let (cluster, follower) = far_behind(isolated).await;
    let id = cluster.members[follower].id;
    let before = cluster.network.passed_to(id);
    cluster.network.reset(id);
    cluster.network.heal();
    cluster.network.throttle(id, 1 << 20);
    a_third(&cluster, id, before).await;
    cluster.network.reset(id);
    cluster.network.heal();
    eventually("a whole one", async || (received(&cluster, follower).await >= 1.0).then_some(())).await;
    cluster.until_equal().await;
    let traffic = Traffic::start(&cluster, 9).await;
    traffic.progress(50).await;
    traffic.finish(&cluster).await;
}

/// While everybody writes all the time, and the log is let go of behind them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_snapshot_under_steady_load() {
    let (mut cluster, follower) = far_behind(async |cluster, follower| cluster.kill(follower).await).await;
    let leader = cluster.leader().await;
    let written = Arc::new(AtomicI64::new(0));
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (mut c, written) = (cluster.grpc(leader), Arc::clone(&written));
        writers.spawn(async move {
            for i in 0_u64.. {
                written.fetch_max(c.put(&format!("small/{writer}"), &i.to_string()).await, SeqCst);
            }
        });
    }
    for _ in 0..2 {
        let end = log_end(&cluster, leader).await;
        cluster.restart(follower).await;
        eventually("a snapshot", async || (received(&cluster, follower).await >= 1.0).then_some(())).await;
        // It has what was there when the snapshot had come, and goes on from there.
        let want = written.load(SeqCst);
        eventually("it keeps up", async || {
            let local = RangeRequest { serializable: true, ..get("small/0") };
            let seen = cluster.grpc(follower).kv.range(local).await.ok()?.into_inner();
            (revision(&seen.header) >= want).then_some(())
        })
        .await;
        assert!(log_end(&cluster, leader).await > end, "they write");
        cluster.kill(follower).await;
        forgotten(&cluster, leader, log_end(&cluster, leader).await).await;
    }
    writers.shutdown().await;
    cluster.restart(follower).await;
    cluster.until_equal().await;
}

/// A watcher that has seen more than the member it comes to: nothing old, nothing twice, and no progress that is behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_from_the_future_of_a_member() {
    let cluster = short_log(3).start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let mut c = cluster.grpc(leader);
    c.put("k", "seen").await; // 2
    cluster.until_equal().await;
    cluster.network.isolate(cluster.members[follower].id);
    for i in 0..200 {
        c.put("k", &i.to_string()).await; // 3 to 202
    }
    let mut w = cluster.grpc(follower).watch();
    let created = w.create(WatchCreateRequest { start_revision: 150, progress_notify: true, ..watch("k") }).await;
    assert_eq!(revision(&created.header), 2, "it lags");
    w.progress().await;
    cluster.network.reset(cluster.members[follower].id);
    cluster.network.heal();
    let mut next = 150;
    while next <= 202 {
        let message = w.next().await;
        assert!(!message.canceled, "{message:?}");
        if message.events.is_empty() {
            assert!(revision(&message.header) >= 150, "{message:?}");
        }
        for event in message.events {
            assert_eq!(event.kv.unwrap().mod_revision, next);
            next += 1;
        }
    }
    let end = c.put("k", "end").await;
    assert_eq!(w.events(1).await[0].kv.as_ref().unwrap().mod_revision, end);
}
