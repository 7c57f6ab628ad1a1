//! What etcd's dashboards and alert rules ask for is there, under its labels, and moves when something happens.

use std::collections::{BTreeMap, BTreeSet};

use keyport_api::etcdserverpb::{PutRequest, RangeRequest};
use keyport_tests::Cluster;
use keyport_tests::grpc::{get, put, watch};
use keyport_tests::wait::eventually;

const ASKED_FOR: &str = include_str!("../../../golden/mixin.txt");

struct Row {
    name: &'static str,
    kind: &'static str,
    labels: Vec<&'static str>,
}

fn rows() -> impl Iterator<Item = Row> {
    ASKED_FOR.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let [name, kind, labels, "moves"] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        Row { name, kind, labels: labels.split(',').filter(|label| *label != "-").collect() }
    })
}

/// A line of a scrape: labels, and the value.
fn samples<'a>(text: &'a str, name: &str, kind: &str) -> Vec<(BTreeSet<&'a str>, f64)> {
    let name = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
    let sample = |line: &'a str| {
        let rest = line.strip_prefix(&name)?;
        let (labels, value) = rest.rsplit_once(' ')?;
        let inner = match labels.strip_prefix('{') {
            Some(inner) => inner.strip_suffix('}')?,
            None if labels.is_empty() => "",
            None => return None,
        };
        let names = inner.split("\",").filter_map(|pair| pair.split_once('=')).map(|(label, _)| label);
        Some((names.collect(), value.parse().ok()?))
    };
    text.lines().filter_map(sample).collect()
}

/// Names that moved at a member at any time.
type Moved = BTreeMap<&'static str, BTreeSet<usize>>;

async fn look(cluster: &Cluster, members: &[usize], moved: &mut Moved) {
    for member in members {
        let text = cluster.members[*member].http().get("/metrics").await.text();
        for Row { name, kind, labels } in rows() {
            assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} is a {kind} of member {member}");
            let samples = samples(&text, name, kind);
            let wanted = BTreeSet::from_iter(labels);
            assert!(samples.iter().all(|(labels, _)| *labels == wanted), "{name}: {samples:?}");
            if samples.iter().any(|(_, value)| *value > 0.0) {
                moved.entry(name).or_default().insert(*member);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_etcds_dashboards_and_alerts_ask_for_is_there_and_moves() {
    let mut cluster = Cluster::of(3).args(["--metrics=extensive"]).start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let other = 3 - leader - follower;
    for member in 0..3 {
        let mut grpc = cluster.grpc(member);
        grpc.put(&format!("k{member}"), "v").await;
        grpc.get("k0").await;
        grpc.range(RangeRequest { serializable: true, ..get("k0") }).await;
        grpc.kv.put(PutRequest::default()).await.unwrap_err();
        let mut stream = grpc.watch();
        stream.create(watch("k0")).await;
    }
    let mut moved = Moved::new();
    look(&cluster, &[0, 1, 2], &mut moved).await;
    // Messages that nobody takes, a leader that is gone, and a proposal that nobody decides.
    cluster.kill(leader).await;
    let next = cluster.leader_among(&[follower, other]).await;
    let last = 3 - leader - next;
    cluster.kill(last).await;
    let mut grpc = cluster.grpc(next);
    let lost = tokio::spawn(async move { grpc.kv.put(put("lost", "v")).await });
    eventually("everything", async || {
        look(&cluster, &[next], &mut moved).await;
        (moved.len() == rows().count()).then_some(()).filter(|()| lost.is_finished())
    })
    .await;
    assert!(lost.await.unwrap().is_err());
    for name in ["etcd_disk_wal_fsync_duration_seconds", "etcd_server_has_leader", "grpc_server_handling_seconds"] {
        assert_eq!(moved[name].len(), 3, "{name}");
    }
    cluster.restart(leader).await;
    cluster.restart(last).await;
    cluster.until_equal().await;
    cluster.stop().await;
}
