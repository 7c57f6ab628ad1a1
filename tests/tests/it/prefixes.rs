//! `--metrics-prefix-depth`: keys, and what is asked of them, by the first parts of their paths.

use keyport_api::etcdserverpb::{RequestOp, TxnRequest, request_op};
use keyport_tests::grpc::{Grpc, delete_all, get, list, put};
use keyport_tests::wait::eventually;
use keyport_tests::{Cluster, Flavor, Server};

fn value(metrics: &str, series: &str) -> Option<i64> {
    metrics.lines().find_map(|line| line.strip_prefix("keyport_prefix_")?.strip_prefix(series)?.trim().parse().ok())
}

fn check(metrics: &str, expected: &[(&str, &str, i64)]) {
    for (family, prefix, count) in expected {
        let series = format!("{family}{{prefix=\"{prefix}\"}}");
        assert_eq!(value(metrics, &series), Some(*count), "{series}");
    }
}

fn op(request: request_op::Request) -> RequestOp {
    RequestOp { request: Some(request) }
}

async fn ask(grpc: &mut Grpc) {
    for key in ["/a/b/1", "/a/b/2", "/a/c/d/e", "/a/short", "flat"] {
        grpc.put(key, "12345").await;
    }
    grpc.put("/a/b/1", "12").await;
    grpc.get("/a/b/1").await;
    grpc.range(list("/a/b/")).await;
    let success = vec![
        op(request_op::Request::RequestPut(put("/a/b/3", ""))),
        op(request_op::Request::RequestRange(get("/a/c/d/e"))),
    ];
    grpc.txn(TxnRequest { success, ..TxnRequest::default() }).await;
    let success = vec![op(request_op::Request::RequestRange(get("/a/b/9")))];
    let failure = vec![op(request_op::Request::RequestRange(get("flat")))];
    grpc.txn(TxnRequest { success, failure, ..TxnRequest::default() }).await;
    let lease = grpc.grant(60).await;
    grpc.put_of(keyport_api::etcdserverpb::PutRequest { lease, ..put("/a/b/leased", "") }).await;
    grpc.lease.lease_revoke(keyport_api::etcdserverpb::LeaseRevokeRequest { id: lease }).await.unwrap();
    grpc.delete("/a/b/2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_requests_are_counted_by_prefix() {
    let mut server = Server::of(Flavor::Keyport).args(["--metrics-prefix-depth=2"]).start();
    ask(&mut server.grpc().await).await;
    // However it is asked.
    let mut chunks = server.grpc().await.kv.range_stream(list("/a/b/")).await.unwrap().into_inner();
    while chunks.message().await.unwrap().is_some() {}
    assert_eq!(server.http().get("/v3/keys?prefix=%2Fa%2Fb%2F").await.status, 200);
    let metrics = server.http().get("/metrics").await.text();
    let keys = [("keys", "/a/b/", 2), ("keys", "/a/c/", 1), ("keys", "/a/", 1), ("keys", "none", 1)];
    check(&metrics, &keys);
    check(
        &metrics,
        &[
            ("puts_total", "/a/b/", 5),
            ("put_bytes_total", "/a/b/", 4 * 6 + 11 + 5 + 5 + 2),
            ("deletes_total", "/a/b/", 2),
            ("reads_total", "/a/b/", 5),
            ("reads_total", "/a/c/", 1),
            ("puts_total", "none", 1),
        ],
    );
    assert_eq!(value(&metrics, "reads_total{prefix=\"none\"}"), Some(0), "the branch that was not taken");
    // What is there is counted at the start, by whatever depth.
    assert!(server.stop().success());
    server.restart();
    let metrics = server.http().get("/metrics").await.text();
    check(&metrics, &keys);
    server.grpc().await.kv.delete_range(delete_all("/a/b/")).await.unwrap();
    check(&server.http().get("/metrics").await.text(), &[("keys", "/a/b/", 0)]);
}

#[tokio::test]
async fn labels_are_bounded_and_without_the_flag_there_are_none() {
    let server = Server::of(Flavor::Keyport).args(["--metrics-prefix-depth=1"]).start();
    let mut grpc = server.grpc().await;
    for n in 0..130 {
        grpc.put(&format!("/{n}/k"), "v").await;
    }
    let metrics = server.http().get("/metrics").await.text();
    check(&metrics, &[("keys", "other", 30), ("puts_total", "other", 30), ("keys", "/99/", 1)]);
    let labels = metrics.lines().filter(|line| line.starts_with("keyport_prefix_keys{")).count();
    assert_eq!(labels, 100 + 2);
    let server = Server::of(Flavor::Keyport).start();
    server.grpc().await.put("/a/b", "v").await;
    assert!(!server.http().get("/metrics").await.text().contains("keyport_prefix_"));
}

#[tokio::test]
async fn a_member_that_receives_the_state_counts_what_is_in_it() {
    let args = ["--metrics-prefix-depth=1", "--snapshot-count=10", "--snapshot-catchup-entries=5"];
    let mut cluster = Cluster::of(3).flavor(Flavor::Keyport).args(args).start().await;
    let follower = cluster.follower().await;
    cluster.kill(follower).await;
    let leader = cluster.leader().await;
    let mut grpc = cluster.grpc(leader);
    for n in 0..200 {
        grpc.put(&format!("/{}/{n}", n % 2), "v").await;
    }
    eventually("the leader has let go of what the follower needs", async || {
        (cluster.members[leader].metric("keyport_raft_log_first_index").await > 60.0).then_some(())
    })
    .await;
    cluster.restart(follower).await;
    cluster.until_equal().await;
    let metrics = cluster.members[follower].http().get("/metrics").await.text();
    check(&metrics, &[("keys", "/0/", 100), ("keys", "/1/", 100)]);
    assert!(
        metrics.lines().any(|line| line.starts_with("etcd_network_snapshot_receive_success{") && !line.ends_with(" 0")),
        "{metrics}"
    );
    cluster.stop().await;
}
