//! Defragmentations that members begin by themselves: one member at a time, the leader last, and none while one of them is away.

use keyport_api::etcdserverpb::{CompactionRequest, LeaseTimeToLiveRequest};
use keyport_tests::cluster::Cluster;
use keyport_tests::wait::{eventually, within};
use keyport_tests::{Flavor, Server};

const DONE: &str = "keyport_auto_defragmentations_total";

async fn cluster() -> Cluster {
    let flags = ["--auto-defrag-threshold=20%", "--auto-defrag-interval=300ms", "--auto-defrag-idle-rate=100"];
    Cluster::of(3).flavor(Flavor::Keyport).args(flags).start().await
}

/// Leaves every member with a file that is mostly free.
async fn fill(cluster: &Cluster) {
    let mut c = cluster.grpc(cluster.leader().await);
    let value = "x".repeat(50_000);
    for number in 0..400 {
        c.put(&format!("k{}", number % 10), &value).await;
    }
    let revision = c.revision().await;
    within("a compaction", c.kv.compact(CompactionRequest { revision, physical: true })).await.unwrap();
}

/// When each defragmentation of a member has begun and ended, as its log says; the times are texts that sort.
fn spans(cluster: &Cluster, member: usize) -> Vec<(String, String)> {
    let times = |what: &str| -> Vec<String> {
        let lines = cluster.members[member].logged(what);
        let time = |line: &String| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            line["ts"].as_str().expect("a time").to_owned()
        };
        lines.iter().map(time).collect()
    };
    times("starting defragment").into_iter().zip(times("finished defragment")).collect()
}

async fn until_done(cluster: &Cluster, members: &[usize]) {
    for member in members {
        eventually("a member has had its turn", async || {
            (cluster.members[*member].metric(DONE).await > 0.5).then_some(())
        })
        .await;
    }
}

async fn until_little_is_free(cluster: &Cluster) {
    for member in 0..3 {
        eventually("little is free", async || {
            let free = cluster.members[member].metric("keyport_db_reclaimable_bytes").await;
            (free < f64::from(1 << 20)).then_some(())
        })
        .await;
    }
}

/// The members in the order in which they come to it once all have something to give back.
async fn order(cluster: &Cluster) -> Vec<usize> {
    let past: Vec<usize> = (0..3).map(|member| spans(cluster, member).len()).collect();
    fill(cluster).await;
    until_done(cluster, &[0, 1, 2]).await;
    until_little_is_free(cluster).await;
    let mut all: Vec<(String, String, usize)> = (0..3)
        .flat_map(|member| {
            spans(cluster, member).into_iter().skip(past[member]).map(move |(from, to)| (from, to, member))
        })
        .collect();
    all.sort();
    for pair in all.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two at once: {all:?}");
    }
    all.into_iter().map(|(_, _, member)| member).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_after_the_other_and_the_leader_last() {
    let cluster = cluster().await;
    // Of those that have something to give back when it looks: on a busy machine one may have it before all is written, or later
    // than the leader.
    eventually("a round of all three", async || {
        let leader = cluster.leader().await;
        matches!(order(&cluster).await[..], [_, _, last] if last == leader).then_some(())
    })
    .await;
    cluster.until_equal().await;
}

/// It might be the one that is at it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_begins_while_a_member_is_away() {
    let mut cluster = cluster().await;
    let away = cluster.follower().await;
    cluster.kill(away).await;
    let here: Vec<usize> = (0..3).filter(|member| *member != away).collect();
    fill(&cluster).await;
    // Several rounds have been and gone: a lease lasts longer than these.
    let leader = cluster.leader_among(&here).await;
    let mut c = cluster.grpc(leader);
    let lease = c.grant(3).await;
    eventually("the lease is over", async || {
        let request = LeaseTimeToLiveRequest { id: lease, keys: false };
        (c.lease.lease_time_to_live(request).await.ok()?.into_inner().ttl == -1).then_some(())
    })
    .await;
    for member in &here {
        assert!(cluster.members[*member].metric(DONE).await < 0.5, "m{member} has begun");
    }
    cluster.restart(away).await;
    until_done(&cluster, &here).await;
}

#[test]
fn flags_that_mean_nothing_are_refused() {
    for flag in ["--auto-defrag-threshold=a lot", "--auto-defrag-threshold=100%", "--auto-defrag-threshold=-1"] {
        let output = Server::of(Flavor::Keyport).args([flag]).run_to_end();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(!output.status.success() && told.contains("--auto-defrag-threshold must be"), "{told}");
    }
}
