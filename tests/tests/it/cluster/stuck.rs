//! `--raft-write-timeout`: a peer that takes nothing of what waits for it is given up before it is missed.

use keyport_tests::Cluster;
use keyport_tests::wait::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_takes_nothing_is_given_up() {
    let args = ["--raft-read-timeout=10m", "--raft-write-timeout=5s"];
    let mut cluster = Cluster::of(3).args(args).start().await;
    if cluster.is_etcd() {
        return; // says it in other words
    }
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    cluster.members[follower].pause();
    let mut grpc = cluster.grpc(leader);
    let value = "v".repeat(1 << 20);
    // More than the kernel holds for it.
    let mut n = 0;
    eventually("it is given up", async || {
        if n < 48 {
            grpc.put(&format!("k{n}"), &value).await;
            n += 1;
        }
        let lost = cluster.members[leader].logged("lost the connection to peer");
        lost.iter().any(|line| line.contains("takes nothing of what waits for it")).then_some(())
    })
    .await;
    cluster.members[follower].resume();
    cluster.until_equal().await;
    cluster.stop().await;
}
