//! Founders that find each other at a service that encrypts.

use keyport_tests::certificates::{Authority, Holder, file_flag};
use keyport_tests::etcdctl::Etcdctl;
use keyport_tests::server::free_port;
use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};

use super::{Encrypted, own};

#[tokio::test]
async fn they_show_a_certificate_to_it() {
    if Flavor::under_test().older_than("3.6") {
        return; // has no such service
    }
    let authority = Authority::new();
    let (ca, own) = (authority.file(), own(&authority));
    let mut flags = [own.flags(""), own.flags("peer-")].concat();
    flags.extend(["trusted-ca-file", "peer-trusted-ca-file"].map(|flag| file_flag(flag, &ca)));
    let service = Encrypted::start(flags).await;
    let founder = authority.issue("founder", &Holder::new("founder", &[]));
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], service.client));
    Etcdctl::encrypted(at, &ca, &founder).ok(&["put", "/_etcd/registry/T/_config/size", "1"]);

    let [client, peer] = [(); 2].map(|()| format!("http://127.0.0.1:{}", free_port()));
    let mut server = Server::builder()
        .plain()
        .args(["--name=f", "--data-dir=data", "--discovery-token=T"])
        .args([
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--discovery-endpoints=https://{at}"),
            file_flag("discovery-cacert", &ca),
            file_flag("discovery-cert", &founder.cert),
            file_flag("discovery-key", &founder.key),
            "--discovery-insecure-transport=false".to_owned(),
        ])
        .spawn_only();
    let addr: std::net::SocketAddr = client.trim_start_matches("http://").parse().unwrap();
    eventually("it has founded its cluster", async || {
        assert!(server.ended().is_none(), "{}", server.log());
        tokio::net::TcpStream::connect(addr).await.ok()?;
        (keyport_tests::http::Http::new(addr).get("/health").await.status == 200).then_some(())
    })
    .await;
    let found = Etcdctl::encrypted(at, &ca, &founder).ok(&[
        "get",
        "--prefix",
        "--print-value-only",
        "/_etcd/registry/T/members/",
    ]);
    assert_eq!(found.trim(), format!("f={peer}"));
}

/// Wherever the address of a service comes from, nobody is told anything before he has shown who he is. (etcd's `gateway` looked
/// only at what DNS had told it.)
#[tokio::test]
async fn a_service_that_nobody_vouches_for_is_told_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let own = own(&authority);
    let service = Encrypted::start(
        [own.flags(""), own.flags("peer-"), vec![file_flag("peer-trusted-ca-file", &authority.file())]].concat(),
    )
    .await;
    let [client, peer] = [(); 2].map(|()| format!("http://127.0.0.1:{}", free_port()));
    let server = Server::of(Flavor::Keyport)
        .plain()
        .args(["--name=f", "--data-dir=data", "--discovery-token=T"])
        .args([
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--discovery-endpoints=https://127.0.0.1:{}", service.client),
            file_flag("discovery-cacert", &stranger.file()),
            "--discovery-insecure-transport=false".to_owned(),
        ])
        .spawn_only();
    for (who, says) in [
        (&server, "retry connecting to discovery service"),
        (&service.server, "rejected connection on client endpoint"),
    ] {
        eventually("it has been tried in vain", async || who.log().contains(says).then_some(())).await;
    }
    let http = keyport_tests::http::Http::new(service.plain);
    let told = http.call("/v3/kv/range", serde_json::json!({ "key": "AA==", "range_end": "AA==" })).await;
    assert!(told.get("kvs").is_none(), "{told}");
}
