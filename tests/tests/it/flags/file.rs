//! Configuration files as people write them: YAML 1.1, with what etcd's library makes of it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use keyport_api::etcdserverpb::{StatusRequest, TxnRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, IntoOp, get, put};
use keyport_tests::server::free_port;
use keyport_tests::wait::eventually;

use super::said;

/// Starts a server on a file with where it listens and `more`; the client address, once it listens.
async fn start(dir: &std::path::Path, more: &str) -> (Server, SocketAddr) {
    let (client, peer) = (free_port(), free_port());
    let (before, text) = match more.strip_prefix('\u{feff}') {
        Some(text) => ("\u{feff}", text),
        None => ("", more),
    };
    let text = format!(
        "{before}name: filed\ndata-dir: {}\nlisten-client-urls: http://127.0.0.1:{client}\nadvertise-client-urls: http://127.0.0.1:{client}\n\
         listen-peer-urls: http://127.0.0.1:{peer}\ninitial-advertise-peer-urls: http://127.0.0.1:{peer}\n\
         initial-cluster: filed=http://127.0.0.1:{peer}\n{text}",
        dir.join("data").display()
    );
    let file = dir.join("etcd.yml");
    fs::write(&file, text).unwrap();
    let mut server = Server::builder().plain().args(["--config-file", file.to_str().unwrap()]).spawn_only();
    let addr = (Ipv4Addr::LOCALHOST, client).into();
    eventually("it listens where the file says", async || {
        assert!(server.ended().is_none(), "{more:?}: {}", server.log());
        tokio::net::TcpStream::connect(addr).await.ok()
    })
    .await;
    (server, addr)
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_and_booleans_in_all_spellings() {
    for (bytes, operations, more) in [
        (2_000_000, 3, "max-request-bytes: 2e+06\nmax-txn-ops: 3.0\n"),
        (2_000_000, 63, "max-request-bytes: 2_000_000\nmax-txn-ops: 077\npre-vote: yes\n"),
        (2_000_000, 5, "\u{feff}max-request-bytes: 2.0e+6\nmax-txn-ops: 0x5\ninitial-election-tick-advance: n\n"),
        (
            2_000_000,
            9,
            "MAX-REQUEST-BYTES: 2000000.\nmax-txn-ops: 09\nstrict-reconfig-check: on\n---\nmax-txn-ops: 4\n",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (_server, addr) = start(dir.path(), more).await;
        let mut c = Grpc::connect(addr).await;
        let of = |n: usize| TxnRequest { failure: (0..n).map(|_| get("k").op()).collect(), ..TxnRequest::default() };
        // A comparison that there is none of holds, so none of them is done.
        c.kv.txn(of(operations)).await.expect(more);
        let error = c.kv.txn(of(operations + 1)).await.expect_err(more);
        assert_eq!(error.message(), "etcdserver: too many operations in txn request");
        c.put("k", &"x".repeat(bytes - 1_000)).await;
        let error = c.kv.put(put("k", &"x".repeat(bytes))).await.expect_err(more);
        assert_eq!(error.message(), "etcdserver: request is too large");
    }
}

/// As a program writes them that takes every number for a float: 8 GiB.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_with_an_exponent() {
    let dir = tempfile::tempdir().unwrap();
    let (server, addr) = start(dir.path(), "quota-backend-bytes: 8.589934592e+09\n").await;
    let status = Grpc::connect(addr).await.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    if !server.older_than("3.6") {
        assert_eq!(status.db_size_quota, 8 << 30);
    }
}

#[test]
fn what_is_none_is_refused_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("etcd.yml");
    for (key, value) in [
        ("snapshot-count", "1.5"),
        ("snapshot-count", "-5"),
        ("snapshot-count", "\"100\""),
        ("snapshot-count", "yes"),
        ("pre-vote", "1"),
        ("pre-vote", "\"true\""),
        ("initial-cluster-token", "1e4"),
        ("initial-cluster-token", "[a]"),
    ] {
        fs::write(&file, format!("{key}: {value}\n")).unwrap();
        let out = super::run(&["--config-file", file.to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(1), "{key}: {value}: {}", said(&out));
        assert!(said(&out).contains(key), "{key}: {value}: {}", said(&out));
    }
}
