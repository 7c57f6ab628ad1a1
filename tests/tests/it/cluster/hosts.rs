//! Members on hosts of their own, whose packets are lost: connections stay open at one end or at both, and nobody is told. The
//! kernel would wait for minutes; members must notice sooner, and what they do meanwhile must be right.

use std::time::Instant;

use keyport_tests::Cluster;
use keyport_tests::cluster::{Builder, Hosts};
use keyport_tests::wait::eventually;

use super::catch_up::{forgotten, log_end, received, short_log};
use super::robustness::{LONG, in_two_parts, while_it_is_used};

fn on_hosts(members: usize, cluster: Builder) -> Option<Builder> {
    let hosts = Hosts::new(members);
    if hosts.is_none() {
        eprintln!("skipped: may not make network namespaces");
    }
    hosts.map(|hosts| cluster.hosts(hosts))
}

fn all_but(member: usize) -> Vec<usize> {
    (0..3).filter(|i| *i != member).collect()
}

/// First it comes back as it was; then its power fails, so that it knows nothing of the connections that the others still have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leaders_host_vanishes() {
    let Some(builder) = on_hosts(3, Cluster::of(3)) else { return };
    while_it_is_used(builder, async |cluster, traffic| {
        let lease = cluster.grpc(0).grant(1000).await;
        for power_fails in [false, true] {
            let leader = cluster.leader().await;
            let others = all_but(leader);
            let mut through_a_follower = cluster.grpc(others[0]);
            assert!(through_a_follower.keep_alive(lease).await.ttl > 0);
            cluster.hosts().unplug(leader);
            if power_fails {
                // Its kernel says good-bye, and is not heard.
                cluster.kill(leader).await;
            }
            // On its way to the old leader. Ours is handed to the new one; etcd's waits for an answer that never comes.
            if !cluster.is_etcd() {
                assert!(through_a_follower.keep_alive(lease).await.ttl > 0);
            }
            cluster.leader_among(&others).await;
            traffic.progress(100).await;
            cluster.heal();
            if power_fails {
                cluster.restart(leader).await;
            }
            cluster.leader().await;
            traffic.progress(50).await;
        }
    })
    .await;
}

/// Who is heard by a follower, but hears nothing from it, and the other way round. The cluster goes on with a leader, this or another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_between_the_leader_and_a_follower_are_lost() {
    let Some(builder) = on_hosts(3, Cluster::of(3)) else { return };
    while_it_is_used(builder, async |cluster, traffic| {
        for from_leader in [true, false] {
            let (leader, follower) = (cluster.leader().await, cluster.follower().await);
            let (from, to) = if from_leader { (leader, follower) } else { (follower, leader) };
            cluster.hosts().lose(from, to);
            traffic.run_for(LONG).await;
            traffic.progress(50).await;
            cluster.heal();
            cluster.leader().await;
        }
    })
    .await;
}

/// It hears them and cannot say so, or is heard and does not know: neither way may it go on leading.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_between_the_leader_and_all_followers_are_lost() {
    let Some(builder) = on_hosts(3, Cluster::of(3)) else { return };
    while_it_is_used(builder, async |cluster, traffic| {
        for from_leader in [true, false] {
            let leader = cluster.leader().await;
            let followers = all_but(leader);
            for follower in &followers {
                let (from, to) = if from_leader { (leader, *follower) } else { (*follower, leader) };
                cluster.hosts().lose(from, to);
            }
            cluster.leader_among(&followers).await;
            traffic.progress(50).await;
            cluster.heal();
            cluster.leader().await;
        }
    })
    .await;
}

/// Until the leader has given up the connection to it, and the log does not reach back to where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_followers_host_is_away() {
    let Some(builder) = on_hosts(3, short_log(3)) else { return };
    while_it_is_used(builder, async |cluster, traffic| {
        let (leader, follower) = (cluster.leader().await, cluster.follower().await);
        let (before, began) = (received(cluster, follower).await, Instant::now());
        cluster.hosts().unplug(follower);
        let end = log_end(cluster, leader).await;
        cluster.until_disconnected(leader, follower).await;
        println!("noticed after {:?}", began.elapsed());
        traffic.progress(400).await;
        forgotten(cluster, leader, end).await;
        cluster.heal();
        eventually("a snapshot", async || (received(cluster, follower).await > before).then_some(())).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_in_two_parts() {
    let Some(builder) = on_hosts(5, Cluster::of(5)) else { return };
    while_it_is_used(builder, in_two_parts).await;
}
