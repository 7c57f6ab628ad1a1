//! Automatic compaction: by age on the member that leads, whoever that is. (By number it looks each five minutes, as etcd does; the
//! server's own tests drive that clock.)

use keyport_tests::wait::eventually;
use keyport_tests::{Cluster, Flavor, Server};

async fn compacted(cluster: &Cluster, member: usize) -> f64 {
    cluster.members[member].metric("etcd_debugging_mvcc_compact_revision").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_forgotten_whoever_leads() {
    let mut cluster = Cluster::of(3).args(["--auto-compaction-retention=1s"]).start().await;
    for _ in 0..2 {
        let leader = cluster.leader().await;
        let mut c = cluster.grpc(leader);
        let mut revision = 0;
        let before = compacted(&cluster, leader).await;
        eventually("a compaction that nobody asked for", async || {
            revision = c.put("k", "v").await;
            (compacted(&cluster, leader).await > before).then_some(())
        })
        .await;
        for member in cluster.serving() {
            eventually("all have compacted up to the last revision", async || {
                (compacted(&cluster, member).await >= revision as f64).then_some(())
            })
            .await;
        }
        assert_eq!(c.get("k").await.unwrap().value, "v");
        let said = if cluster.is_etcd() { "completed auto periodic compaction" } else { "completed auto compaction" };
        for member in cluster.serving() {
            let lines = cluster.members[member].logged(said).len();
            assert!(member == leader || lines == 0 || cluster.serving().len() < 3, "followers rest");
            assert!(member != leader || lines > 0);
        }
        if cluster.serving().len() == 3 {
            cluster.kill(leader).await;
        }
    }
}

#[test]
fn what_is_no_retention_is_refused() {
    for (mode, retention) in
        [("periodic", "ten"), ("periodic", "-1"), ("revision", "10m"), ("revision", "-1"), ("by-age", "1")]
    {
        let args = [format!("--auto-compaction-mode={mode}"), format!("--auto-compaction-retention={retention}")];
        let output = Server::of(Flavor::Keyport).args(args).run_to_end();
        assert!(!output.status.success(), "{mode} {retention}");
    }
}
