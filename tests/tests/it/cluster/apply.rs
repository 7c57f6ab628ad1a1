//! A member whose state cannot keep up with its log: its database's disk hangs, say. Elections and the log go on without it.

use keyport_api::etcdserverpb::{MemberRemoveRequest, MemberUpdateRequest};
use keyport_tests::Cluster;
use keyport_tests::cluster::Builder;
use keyport_tests::cluster::threads::StoppedThread;
use keyport_tests::grpc::{get, list, put, revision, values};
use keyport_tests::history::Traffic;
use keyport_tests::wait::{eventually, within};
use tokio::task::JoinSet;

use super::catch_up::{forgotten, log_end, received, short_log};
use super::robustness::LONG;

/// Nothing is applied until the guard is dropped. `None` with an etcd, whose threads are its own affair.
pub(super) fn hold_up(cluster: &Cluster, member: usize) -> Option<StoppedThread> {
    if cluster.is_etcd() {
        return None;
    }
    let stopped = cluster.members[member].stop_thread("apply");
    if stopped.is_none() {
        eprintln!("skipped: may not trace");
    }
    stopped
}

/// Has room for 16 MiB that are not applied. What is durable of them matters to nobody.
fn little_room() -> Builder {
    Cluster::of(3).memory("256MiB").args(["--unsafe-no-fsync"])
}

/// A few times of that room: it is in several queues.
const MOST_BATCHES: usize = 10;

/// Puts some 16 MB through a member, at once; whether all of it was taken.
async fn put_large_values(cluster: &Cluster, member: usize) -> bool {
    let value = "x".repeat(1_000_000);
    let mut puts = JoinSet::new();
    for i in 0..16 {
        let (mut c, put) = (cluster.grpc(member), put(&format!("big/{i}"), &value));
        puts.spawn(async move { c.kv.put(put).await.is_ok() });
    }
    within("large values", puts.join_all()).await.into_iter().all(|taken| taken)
}

/// It leads on: its followers answer their clients meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_does_not_apply() {
    let cluster = Cluster::of(3).start().await;
    let traffic = Traffic::start(&cluster, 22).await;
    traffic.progress(100).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let before = cluster.status(follower).await.unwrap();
    let Some(stopped) = hold_up(&cluster, leader) else { return };
    traffic.progress(400).await;
    traffic.run_for(LONG).await;
    traffic.progress(50).await;
    let after = cluster.status(follower).await.unwrap();
    assert_eq!((after.leader, after.raft_term), (before.leader, before.raft_term));
    drop(stopped);
    traffic.progress(100).await;
    traffic.finish(&cluster).await;
}

/// It takes what it has room for, and the rest later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_does_not_apply() {
    let cluster = little_room().start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let before = cluster.status(leader).await.unwrap();
    let Some(stopped) = hold_up(&cluster, follower) else { return };
    let from = format!("{{From=\"{:x}\"}}", cluster.members[leader].id);
    // Where disks are slow it may fall so far behind before that the leader begins to send it a snapshot instead.
    let is_full = async || {
        let metric = async |name| cluster.members[follower].metric(&format!("{name}{from}")).await > 0.0;
        metric("etcd_network_peer_received_failures_total").await
            || metric("etcd_network_snapshot_receive_inflights_total").await
            || metric("etcd_network_snapshot_receive_success").await
    };
    for _ in 0..MOST_BATCHES {
        if is_full().await {
            break;
        }
        put_large_values(&cluster, leader).await;
    }
    eventually("it has no room", async || is_full().await.then_some(())).await;
    let after = cluster.status(leader).await.unwrap();
    assert_eq!((after.leader, after.raft_term), (before.leader, before.raft_term));
    drop(stopped);
    cluster.until_equal().await;
    let traffic = Traffic::start(&cluster, 23).await;
    traffic.progress(50).await;
    traffic.finish(&cluster).await;
}

/// Its log goes on after a snapshot that is not in place yet, and so does the membership.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_waits_for_its_place() {
    let cluster = short_log(3).start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    cluster.until_equal().await;
    let id = cluster.members[follower].id;
    cluster.network.isolate(id);
    let end = log_end(&cluster, leader).await;
    let mut c = cluster.grpc(leader);
    for i in 0..100 {
        c.put(&format!("k{i}"), "v").await;
    }
    forgotten(&cluster, leader, end).await;
    let Some(stopped) = hold_up(&cluster, follower) else { return };
    cluster.network.reset(id);
    cluster.network.heal();
    eventually("a snapshot", async || (received(&cluster, follower).await >= 1.0).then_some(())).await;
    let peer_ur_ls = vec![cluster.members[leader].peer_url()];
    let update = MemberUpdateRequest { id: cluster.members[leader].id, peer_ur_ls };
    within("a change of a member", c.cluster.member_update(update)).await.unwrap();
    c.put("k", "after it").await;
    let end = log_end(&cluster, leader).await;
    eventually("its log goes on", async || (log_end(&cluster, follower).await >= end).then_some(())).await;
    drop(stopped);
    cluster.until_equal().await;
    assert_eq!(cluster.list(leader, false).await.unwrap(), cluster.list(follower, false).await.unwrap());
}

/// Left alone by a change of the membership, it has no need to ask anybody what is committed. It does need to apply it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_left_alone_before_it_has_applied() {
    // Changes are not refused for connections that are young.
    let mut cluster = Cluster::of(2).args(["--strict-reconfig-check=false"]).start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let mut through_leader = cluster.grpc(leader);
    let mut through_follower = cluster.grpc(follower);
    through_leader.put("k", "old").await;
    cluster.until_equal().await;
    let Some(stopped) = hold_up(&cluster, leader) else { return };
    let lease = through_follower.grant(500).await;
    for i in 0..20 {
        through_follower.put(&format!("other/{i}"), "v").await;
    }
    let last = through_follower.put("k", "new").await;
    // It answers when it has applied it.
    let id = cluster.members[follower].id;
    let mut c = through_leader.clone();
    let removal = tokio::spawn(async move { c.cluster.member_remove(MemberRemoveRequest { id }).await });
    // A member ends when its removal is committed and there was time to tell it.
    let ended = cluster.members[follower].end().await;
    assert!(ended.success(), "{ended}");
    // It may wait for its state, and may give up, but what it says is true.
    let read = within("a read", through_leader.kv.range(get("k"))).await.map(tonic::Response::into_inner);
    if let Ok(read) = &read {
        assert_eq!((values(read), revision(&read.header)), (vec!["new".to_owned()], last));
    }
    if let Ok(Some(renewed)) = within("a renewal", through_leader.try_keep_alive(lease)).await {
        assert_eq!(renewed.ttl, 500, "it lives");
    }
    drop(stopped);
    // Whatever it answers: it may have given up.
    let _ = within("the removal", removal).await.unwrap();
    let read = eventually("a read", async || Some(through_leader.kv.range(get("k")).await.ok()?.into_inner())).await;
    assert_eq!((values(&read), revision(&read.header)), (vec!["new".to_owned()], last));
    assert_eq!(through_leader.keep_alive(lease).await.ttl, 500);
}

/// It has elected itself long before it has applied what its log holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_alone_that_comes_back_behind_its_log() {
    let mut cluster = Cluster::of(1).start().await;
    if cluster.is_etcd() {
        return;
    }
    let mut writers = JoinSet::new();
    for writer in 0..20 {
        let mut c = cluster.grpc(0);
        writers.spawn(async move {
            let mut last = 0;
            for i in 0..100 {
                last = c.put(&format!("k/{writer}/{i}"), "v").await;
            }
            last
        });
    }
    let acknowledged = writers.join_all().await.into_iter().max().unwrap();
    for _ in 0..3 {
        cluster.kill(0).await;
        cluster.launch(0);
        eventually("its threads", async || cluster.members[0].has_thread("apply").then_some(())).await;
        let Some(stopped) = hold_up(&cluster, 0) else { return };
        let mut c = cluster.grpc(0);
        let first = async move || Some(c.kv.range(list("k/")).await.ok()?.into_inner());
        let mut read = tokio::spawn(async move { eventually("a first read", first).await });
        // No answer is the right one for as long as it stands still.
        let early = tokio::time::timeout(LONG, &mut read).await.ok();
        drop(stopped);
        let seen = match early {
            Some(seen) => seen.unwrap(),
            None => within("a first read", read).await.unwrap(),
        };
        assert!(revision(&seen.header) >= acknowledged, "{} of {acknowledged}", revision(&seen.header));
        assert_eq!(seen.count, 2000);
    }
}

/// Its followers read what they have, though it takes no more entries itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_read_while_the_leader_is_full() {
    let cluster = little_room().start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    cluster.grpc(leader).put("k", "v").await;
    cluster.until_equal().await;
    let before = cluster.status(follower).await.unwrap();
    let Some(stopped) = hold_up(&cluster, leader) else { return };
    let mut c = cluster.grpc(follower);
    let mut is_full = false;
    for _ in 0..MOST_BATCHES {
        is_full = !put_large_values(&cluster, follower).await;
        if is_full {
            break;
        }
    }
    assert!(is_full, "it takes more than it has room for");
    for member in (0..3).filter(|member| *member != leader) {
        let mut c = cluster.grpc(member);
        for _ in 0..10 {
            let read = within("a linearizable read", c.kv.range(get("k"))).await.unwrap().into_inner();
            assert_eq!(values(&read), ["v"]);
        }
    }
    let after = cluster.status(follower).await.unwrap();
    assert_eq!((after.leader, after.raft_term), (before.leader, before.raft_term));
    drop(stopped);
    eventually("it takes entries again", async || c.kv.put(put("k", "w")).await.ok()).await;
    cluster.until_equal().await;
}
