//! Three members that talk to each other with TLS, each of them by a certificate.

use keyport_tests::certificates::{Authority, Holder, file_flag};
use keyport_tests::history::Traffic;

use super::catch_up::{forgotten, log_end, received, short_log};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_killed_and_catches_up_by_snapshot() {
    let authority = Authority::new();
    let pair = authority.issue("member", &Holder::new("member", &["127.0.0.1"]));
    let mut flags = pair.flags("peer-");
    flags.extend(["--peer-client-cert-auth".to_owned(), file_flag("peer-trusted-ca-file", &authority.file())]);
    flags.push("--peer-cert-allowed-cn=member".to_owned());
    let mut cluster = short_log(3).args(flags).encrypted().start().await;
    let traffic = Traffic::start(&cluster, 5).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    cluster.kill(follower).await;
    let end = log_end(&cluster, leader).await;
    traffic.progress(400).await;
    forgotten(&cluster, leader, end).await;
    cluster.restart(follower).await;
    traffic.progress(30).await;
    // Its leases and reads go by the leader, over the same port.
    let leader = cluster.leader().await;
    cluster.kill(leader).await;
    traffic.progress(30).await;
    cluster.restart(leader).await;
    traffic.finish(&cluster).await;
    assert!(received(&cluster, follower).await > 0.0);
}
