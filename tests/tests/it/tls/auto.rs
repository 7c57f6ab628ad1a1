//! Certificates that the server makes for itself.

use std::net::SocketAddr;

use keyport_tests::etcdctl::Etcdctl;
use keyport_tests::http::Http;

use super::Encrypted;

#[tokio::test]
async fn it_serves_with_a_certificate_of_its_own() {
    let server = Encrypted::start(["--auto-tls".to_owned(), "--peer-auto-tls".to_owned()]).await;
    let made = |side: &str| server.server.scratch().join("data/fixtures").join(side).join("cert.pem");
    let (client, peer) = (made("client"), made("peer"));
    assert!(server.answers(server.client, "/version", &client, None));
    assert!(server.answers(server.peer, "/version", &peer, None));
    assert!(!server.answers(server.client, "/version", &peer, None), "each side has its own");
    let addr = SocketAddr::from(([127, 0, 0, 1], server.client));
    let ctl = Etcdctl::trusting(addr, &client);
    ctl.ok(&["put", "k", "v"]);
    assert_eq!(ctl.ok(&["get", "k"]), "k\nv\n");
    if server.server.is_etcd() {
        return; // does not count the days
    }
    let metrics = Http::new(server.plain).get("/metrics").await.text();
    let left = |endpoint: &str| {
        let begin = format!("keyport_tls_certificate_expiry_seconds{{endpoint=\"{endpoint}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&begin)).and_then(|left| left.parse::<i64>().ok()).unwrap()
    };
    for endpoint in ["client", "peer"] {
        assert!((364 * 86_400..=365 * 86_400).contains(&left(endpoint)), "{endpoint}");
    }
}
