//! The listener for metrics and health answers while a member waits for the others: what watches over it would end it
//! otherwise.

use keyport_tests::http::Http;
use keyport_tests::server::free_port;
use keyport_tests::wait::eventually;
use keyport_tests::{Cluster, Server};
use std::net::{Ipv4Addr, SocketAddr};

/// What it says without a quorum.
async fn says_how_it_stands(addr: SocketAddr) {
    eventually("the listener is there", async || tokio::net::TcpStream::connect(addr).await.ok()).await;
    let http = Http::new(addr);
    assert_eq!(http.get("/metrics").await.status, 200);
    assert_eq!(http.get("/livez").await.status, 200);
    assert_eq!(http.get("/health?serializable=true").await.status, 200);
    let answer = http.get("/health").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["reason"]),
        (503, &"RAFT NO LEADER".into()),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn one_of_three_started_alone() {
    let [metrics, client, own, second, third] = [(); 5].map(|()| free_port());
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::builder()
        .plain()
        .args(["--name=one", "--data-dir"])
        .args([scratch.path().join("data").into_os_string()])
        .args([
            format!("--listen-metrics-urls={}", url(metrics)),
            format!("--listen-client-urls={}", url(client)),
            format!("--advertise-client-urls={}", url(client)),
            format!("--listen-peer-urls={}", url(own)),
            format!("--initial-advertise-peer-urls={}", url(own)),
            format!("--initial-cluster=one={},two={},three={}", url(own), url(second), url(third)),
        ])
        .spawn_only();
    if server.older_than("3.6") {
        return; // has no /livez
    }
    says_how_it_stands((Ipv4Addr::LOCALHOST, metrics).into()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_after_all_were_killed() {
    let metrics = free_port();
    let mut cluster =
        Cluster::of(3).args_of(0, [format!("--listen-metrics-urls=http://127.0.0.1:{metrics}")]).start().await;
    if cluster.flavor().older_than("3.6") {
        return;
    }
    cluster.grpc(0).put("k", "v").await;
    for member in 0..3 {
        cluster.kill(member).await;
    }
    cluster.launch(0);
    says_how_it_stands((Ipv4Addr::LOCALHOST, metrics).into()).await;
}
