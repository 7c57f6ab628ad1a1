//! Three members that talk to each other with TLS, each of them by a certificate.

use std::fs;
use std::path::Path;

use keyport_tests::Cluster;
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

/// As docs/tls.md says it: nothing is stopped, and nobody is told. Members come and go meanwhile, so that every pair of them
/// connects by what was there before, by what is there in between, and by what is there in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_and_their_authority_are_replaced() {
    let [old, new] = [Authority::new(), Authority::new()];
    let holder = Holder::new("member", &["127.0.0.1"]);
    let [old_pair, new_pair] = [&old, &new].map(|authority| authority.issue("member", &holder));
    let dir = tempfile::tempdir().unwrap();
    let [cert, key, ca] = ["member.pem", "member.key", "ca.pem"].map(|name| dir.path().join(name));
    let put = |path: &Path, content: &[u8]| {
        let whole = path.with_extension("new");
        fs::write(&whole, content).unwrap();
        fs::rename(&whole, path).unwrap();
    };
    let read = |path: &Path| fs::read(path).unwrap();
    put(&cert, &read(&old_pair.cert));
    put(&key, &read(&old_pair.key));
    put(&ca, &read(&old.file()));
    let flags = [("peer-cert-file", &cert), ("peer-key-file", &key), ("peer-trusted-ca-file", &ca)];
    let flags =
        flags.map(|(flag, path)| file_flag(flag, path)).into_iter().chain(["--peer-client-cert-auth".to_owned()]);
    let mut cluster = Cluster::of(3).args(flags).encrypted().start().await;
    let traffic = Traffic::start(&cluster, 6).await;
    traffic.progress(50).await;
    put(&ca, &[read(&old.file()), read(&new.file())].concat());
    come_again(&mut cluster, &traffic).await;
    put(&key, &read(&new_pair.key));
    put(&cert, &read(&new_pair.cert));
    come_again(&mut cluster, &traffic).await;
    put(&ca, &read(&new.file()));
    for _ in 0..2 {
        come_again(&mut cluster, &traffic).await;
    }
    traffic.finish(&cluster).await;
}

/// The leader ends, so that the others connect to somebody new, and it to them.
async fn come_again(cluster: &mut Cluster, traffic: &Traffic) {
    traffic.progress(30).await;
    let leader = cluster.leader().await;
    cluster.kill(leader).await;
    traffic.progress(30).await;
    cluster.restart(leader).await;
}
