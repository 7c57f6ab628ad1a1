//! A single member, there and back.

use std::fs;
use std::process::Command;

use keyport_api::etcdserverpb::HashKvRequest;
use keyport_tests::grpc::get;
use keyport_tests::target::etcd_tool;
use keyport_tests::{Flavor, Server};
use serde_json::{Value, json};

use super::{database, kept, to_etcd};
use crate::backups::{ask, done, fill, lives_on, state, text, token};

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Polite,
    Killed,
}

/// What it knows, which member of which cluster it is, and at which revision.
async fn known(server: &Server) -> (Vec<Value>, Value) {
    (state(server).await, identity(server).await)
}

async fn identity(server: &Server) -> Value {
    let root = token(server, "root").await;
    let header = ask(server, &root, "/v3/kv/range", json!({ "key": "aw==" })).await["header"].clone();
    json!([header["cluster_id"], header["member_id"], header["revision"]])
}

async fn hash(server: &Server) -> (u32, i64) {
    let mut request = tonic::Request::new(HashKvRequest { revision: 0 });
    request.metadata_mut().insert("token", token(server, "root").await.parse().unwrap());
    let hash = server.grpc().await.maintenance.hash_kv(request).await.unwrap().into_inner();
    (hash.hash, hash.compact_revision)
}

async fn there_and_back(from: Flavor, end: End, back: &[Flavor]) {
    let mut server = Server::of(from).start();
    fill(&server).await;
    let expected = known(&server).await;
    match end {
        End::Polite => drop(server.stop()),
        End::Killed => server.kill(),
    }
    let (data, left) = (server.data_dir().to_owned(), fs::read(database(server.data_dir())).unwrap());

    server.become_a(Flavor::Keyport);
    server.restart();
    assert_eq!(known(&server).await, expected, "{from:?} {end:?}");
    assert_eq!(fs::read(kept(&data)).unwrap(), left, "{from:?}: what was left is kept as it was");
    let root = token(&server, "root").await;
    ask(&server, &root, "/v3/kv/put", json!({ "key": "aGVyZQ==", "value": "aGVyZQ==" })).await;
    let expected = known(&server).await;
    server.kill();
    server.restart();
    assert_eq!(known(&server).await, expected, "{from:?} {end:?}");
    assert_eq!(server.log().matches("taking over").count(), 1, "once");
    match end {
        End::Polite => drop(server.stop()),
        End::Killed => server.kill(),
    }

    for to in back {
        let back = server.scratch().join(format!("{to:?}"));
        to_etcd(&data, &back);
        server.become_a(*to);
        server.move_to(&back);
        server.restart();
        assert_eq!(known(&server).await, expected, "{from:?} {end:?} {to:?}");
        lives_on(&mut server).await;
        // And once more, on what Keyport and this etcd have written.
        let grown = (identity(&server).await, hash(&server).await);
        server.stop();
        server.become_a(Flavor::Keyport);
        server.restart();
        assert_eq!((identity(&server).await, hash(&server).await), grown, "{from:?} {end:?} {to:?}");
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_etcd_left_goes_on_here_and_there_again() {
    for from in Flavor::releases() {
        there_and_back(from, End::Polite, &Flavor::releases()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_etcd_goes_on_here_and_there_again() {
    for from in Flavor::releases() {
        there_and_back(from, End::Killed, &[from]).await;
    }
}

/// Whose member it is, and of which cluster, where there are no users.
async fn who(server: &Server) -> (u64, u64) {
    let header = server.grpc().await.range(get("k")).await.header.unwrap();
    (header.cluster_id, header.member_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_goes_on() {
    for from in Flavor::releases() {
        let mut server = Server::of(from).start();
        let ids = who(&server).await;
        server.kill();
        server.become_a(Flavor::Keyport);
        server.restart();
        assert_eq!(who(&server).await, ids);
        assert_eq!(server.grpc().await.put("k", "v").await, 2, "the first revision");
        server.stop();
        let back = server.scratch().join("back");
        to_etcd(server.data_dir(), &back);
        server.become_a(from);
        server.move_to(&back);
        server.restart();
        assert_eq!(who(&server).await, ids);
        assert_eq!(server.grpc().await.put("k", "w").await, 3);
    }
}

/// As `etcdutl` makes it, with a configuration in it that is of another cluster.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_directory_goes_on_whether_etcd_was_started_on_it_or_not() {
    let server = Server::of(Flavor::Etcd).start();
    fill(&server).await;
    let file = server.scratch().join("backup.db");
    server.etcdctl().ok(&["--dial-timeout=60s", "--user", "root:root's", "snapshot", "save", text(&file)]);
    let expected = state(&server).await;
    for started in [false, true] {
        let data = server.scratch().join(format!("restored {started}"));
        let args = ["snapshot", "restore", text(&file), "--data-dir", text(&data)];
        done(&Command::new(etcd_tool("etcdutl")).args(args).output().unwrap());
        if started {
            Server::of(Flavor::Etcd).data_dir(&data).start().stop();
        }
        let restored = Server::of(Flavor::Keyport).data_dir(&data).start();
        assert_eq!(state(&restored).await, expected, "started: {started}");
    }
}
