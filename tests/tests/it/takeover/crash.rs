//! SIGKILL while a database is being taken over: the directory is etcd's, as it was, or ours.

use std::fs;

use keyport_tests::wait::eventually_blocking;
use keyport_tests::{Flavor, Server};

use super::{database, is_converted, kept};

/// Enough to be hit in the middle.
async fn fill(server: &Server) -> u32 {
    let mut c = server.grpc().await;
    for i in 0..48 {
        c.put(&format!("k{i}"), &i.to_string().repeat(600_000)).await;
    }
    hash(server).await
}

async fn hash(server: &Server) -> u32 {
    let request = keyport_api::etcdserverpb::HashKvRequest { revision: 0 };
    server.grpc().await.maintenance.hash_kv(request).await.unwrap().into_inner().hash
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_it_is_killed_the_next_start_goes_on() {
    for flavor in Flavor::peers() {
        let mut server = Server::of(flavor).start();
        let expected = fill(&server).await;
        server.stop();
        let data = server.data_dir().to_owned();
        let left = fs::read(database(&data)).unwrap();
        server.become_a(Flavor::Keyport);
        let unfinished = data.join("member/snap/db.tmp.converted.tmp.import");
        let (mut whole, mut ours) = (0, 0);
        // Each time when more of the new file is there; after that as it comes.
        for step in 0..12_u64 {
            server.relaunch();
            let enough = step * 6_000_000;
            eventually_blocking("so much is converted", || {
                let so_far = fs::metadata(&unfinished).map(|file| file.len());
                (so_far.is_ok_and(|bytes| bytes > enough) || is_converted(&data)).then_some(())
            });
            server.kill();
            if is_converted(&data) {
                ours += 1;
                assert_eq!(fs::read(kept(&data)).unwrap(), left);
            } else {
                whole += 1;
                assert!(fs::read(database(&data)).unwrap() == left, "{flavor:?}, step {step}");
            }
        }
        assert!(whole > 0, "{flavor:?}: it was never in time, {ours} times too late");
        server.restart();
        assert_eq!(hash(&server).await, expected, "{flavor:?}");
        assert!(fs::read(kept(&data)).unwrap() == left);
        assert!(!unfinished.exists());
    }
}

/// Between the second name and the renaming.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_there_already_is_of_the_same_file() {
    let mut server = Server::of(Flavor::Etcd).start();
    server.grpc().await.put("k", "v").await;
    let expected = hash(&server).await;
    server.stop();
    let data = server.data_dir().to_owned();
    fs::hard_link(database(&data), kept(&data)).unwrap();
    fs::write(data.join("member/snap/db.tmp.converted"), "an earlier process left it").unwrap();
    server.become_a(Flavor::Keyport);
    server.restart();
    assert_eq!(hash(&server).await, expected);
    assert!(is_converted(&data) && !data.join("member/snap/db.tmp.converted").exists());
}
