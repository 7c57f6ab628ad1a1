//! Members that reach each other through a proxy, because the environment says so.

use keyport_tests::Server;
use keyport_tests::certificates::{Authority, Holder, file_flag};
use keyport_tests::server::free_port;
use keyport_tests::wait::within;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_peer_with_a_name_that_the_proxy_alone_knows() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = Authority::new();
    let pair = authority.issue("member", &Holder::new("member", &["127.0.0.1", "peer.test"]));
    let [client, peer] = [(); 2].map(|()| free_port());
    let own = format!("https://127.0.0.1:{peer}");
    let builder = Server::builder().plain().env("HTTPS_PROXY", format!("http://{}", proxy.local_addr().unwrap()));
    let server = builder
        .env("NO_PROXY", "other.test")
        .args(["--name=n0", "--data-dir=data", "--peer-client-cert-auth"])
        .args([
            format!("--listen-client-urls=http://127.0.0.1:{client}"),
            format!("--advertise-client-urls=http://127.0.0.1:{client}"),
            format!("--listen-peer-urls={own}"),
            format!("--initial-advertise-peer-urls={own}"),
            format!("--initial-cluster=n0={own},n1=https://peer.test:2380"),
            file_flag("peer-trusted-ca-file", &authority.file()),
        ])
        .args(pair.flags("peer-"))
        .spawn_only();
    let (asking, _) = within("the proxy is asked", proxy.accept()).await.unwrap();
    let mut line = String::new();
    within("a line", BufReader::new(asking).read_line(&mut line)).await.unwrap();
    assert_eq!(line, "CONNECT peer.test:2380 HTTP/1.1\r\n", "{}", server.log());
}
