//! What the database does not have is in the log: it is applied here.

use std::fs;

use keyport_tests::cluster::Cluster;
use keyport_tests::grpc::get;
use keyport_tests::{Flavor, Server};

use super::{database, kept};
use crate::backups::{fill, state};

/// The database of the first moment, and all of the log.
#[tokio::test(flavor = "multi_thread")]
async fn everything_that_etcd_has_written_to_its_log_is_applied() {
    for flavor in Flavor::releases() {
        let mut server = Server::of(flavor).start();
        server.stop();
        let early = fs::read(database(server.data_dir())).unwrap();
        server.restart();
        fill(&server).await;
        let expected = state(&server).await;
        server.stop();
        fs::write(database(server.data_dir()), &early).unwrap();
        server.become_a(Flavor::Keyport);
        server.restart();
        assert_eq!(state(&server).await, expected, "{flavor:?}");
        assert_eq!(fs::read(kept(server.data_dir())).unwrap(), early);
    }
}

/// etcd was cut off between taking the leader's state and putting it into the place of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_a_leader_sent_is_the_one_that_counts() {
    // (3.5.1 cannot be told to keep few entries.)
    for flavor in Flavor::releases().into_iter().filter(|flavor| !flavor.older_than("3.6")) {
        let often = ["--snapshot-count=20", "--snapshot-catchup-entries=5"];
        let mut cluster = Cluster::of(3).flavor(flavor).args(often).direct().start().await;
        let behind = cluster.follower().await;
        cluster.grpc(behind).put("before", "v").await;
        cluster.members[behind].stop().await;
        let data = cluster.members[behind].data_dir().to_owned();
        let early = fs::read(database(&data)).unwrap();
        let leader = cluster.leader().await;
        for i in 0..100 {
            cluster.grpc(leader).put(&format!("k{i}"), "v").await;
        }
        cluster.restart(behind).await;
        let revision = cluster.until_equal().await;
        cluster.stop().await;
        // Its log begins anew with the newest snapshot that it was sent.
        let names = fs::read_dir(data.join("member/snap")).unwrap().map(|entry| entry.unwrap().file_name());
        let names = names.filter_map(|name| name.into_string().ok());
        let newest = names.filter_map(|name| Some(name.strip_suffix(".snap")?.split_once('-')?.1.to_owned())).max();
        let received = data.join(format!("member/snap/{}.snap.db", newest.unwrap()));
        fs::rename(database(&data), &received).unwrap();
        fs::write(database(&data), early).unwrap();

        cluster.become_a(Flavor::Keyport, "data");
        for member in 0..3 {
            cluster.launch(member);
        }
        for member in 0..3 {
            cluster.until_ready(member).await;
        }
        assert_eq!(cluster.until_equal().await, revision, "{flavor:?}");
        assert_eq!(cluster.grpc(behind).range(get("k99")).await.kvs.len(), 1);
        assert!(!cluster.members[behind].logged("took over").is_empty());
        assert!(!received.exists(), "{flavor:?}: it has done what it was for");
        cluster.check_logs();
    }
}
