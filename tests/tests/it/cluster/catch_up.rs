//! Members that fell behind: by log while it is kept, by snapshot past that, and what happens in the middle of one.

use keyport_tests::cluster::Builder;
use keyport_tests::history::Traffic;
use keyport_tests::random::Random;
use keyport_tests::wait::eventually;
use keyport_tests::{Cluster, Flavor};

/// The log is kept for a few entries only.
fn short_log(members: usize) -> Builder {
    let keep = match Flavor::under_test().older_than("3.6") {
        true => "--experimental-snapshot-catchup-entries=20",
        false => "--snapshot-catchup-entries=20",
    };
    Cluster::of(members).args(["--snapshot-count=50", keep])
}

async fn received(cluster: &Cluster, member: usize) -> f64 {
    let metrics = cluster.members[member].http().get("/metrics").await.text();
    let of = |line: &str| {
        let value = line.starts_with("etcd_network_snapshot_receive_success{").then(|| line.rsplit(' ').next());
        value.flatten()?.parse::<f64>().ok()
    };
    metrics.lines().filter_map(of).sum::<f64>()
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
    let follower = cluster.follower().await;
    cluster.kill(follower).await;
    traffic.progress(400).await;
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
        cluster.network.isolate(cluster.members[follower].id);
        traffic.progress(400).await;
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

/// Killed while half of it has come, it starts with what it had before, and gets another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_a_snapshot() {
    const MEGABYTE: u64 = 1 << 20;
    let mut cluster = short_log(3).start().await;
    let mut c = cluster.grpc(0);
    let mut random = Random::new(8);
    for i in 0..8 {
        let noise: String = (0..MEGABYTE).map(|_| char::from(b'!' + random.below(90) as u8)).collect();
        c.put(&format!("big/{i}"), &noise).await;
    }
    let traffic = Traffic::start(&cluster, 7).await;
    let follower = cluster.follower().await;
    cluster.kill(follower).await;
    traffic.progress(300).await;
    let id = cluster.members[follower].id;
    for _ in 0..2 {
        cluster.network.throttle(id, 4 << 20);
        let before = cluster.network.passed_to(id);
        cluster.launch(follower);
        eventually("a third of it has come", async || {
            (cluster.network.passed_to(id) > before + 3 * MEGABYTE).then_some(())
        })
        .await;
        cluster.kill(follower).await;
    }
    cluster.network.heal();
    cluster.restart(follower).await;
    traffic.progress(30).await;
    traffic.finish(&cluster).await;
    assert!(received(&cluster, follower).await >= 1.0);
}

/// The connection breaks in the middle instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_in_the_middle_of_a_snapshot() {
    const MEGABYTE: u64 = 1 << 20;
    let cluster = short_log(3).start().await;
    let mut c = cluster.grpc(0);
    for i in 0..8 {
        let noise = format!("{i}").repeat(1 << 20);
        c.put(&format!("big/{i}"), &noise).await;
    }
    let traffic = Traffic::start(&cluster, 9).await;
    let follower = cluster.follower().await;
    let id = cluster.members[follower].id;
    cluster.network.isolate(id);
    traffic.progress(300).await;
    let before = cluster.network.passed_to(id);
    cluster.network.reset(id);
    cluster.network.heal();
    cluster.network.throttle(id, 4 << 20);
    eventually("a third of it has come", async || {
        (cluster.network.passed_to(id) > before + 3 * MEGABYTE).then_some(())
    })
    .await;
    cluster.network.reset(id);
    cluster.network.heal();
    traffic.progress(30).await;
    traffic.finish(&cluster).await;
    assert!(received(&cluster, follower).await >= 1.0);
}
