//! TLS on every listener, as clients see it: who is let in, who is named by a certificate, and what changes while it runs.

mod auto;
mod clients;
mod discovery;
mod handshakes;
mod identity;
mod matrix;
mod programs;
mod rotation;
mod shown;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use keyport_tests::Server;
use keyport_tests::certificates::{Authority, Holder, Pair, file_flag};
use keyport_tests::encrypted::curl;
use keyport_tests::http::Http;
use keyport_tests::server::free_port;
use keyport_tests::wait::eventually;

/// In the server's folder.
const SOCKET: &str = "client.sock:1";

/// A server with encrypted listeners for clients, peers and metrics, and a plain one by which it is seen to be ready.
pub(crate) struct Encrypted {
    pub(crate) server: Server,
    /// Encrypted, as the two below.
    pub(crate) client: u16,
    peer: u16,
    metrics: u16,
    pub(crate) plain: SocketAddr,
}

impl Encrypted {
    pub(crate) async fn start(flags: impl IntoIterator<Item = String>) -> Encrypted {
        let [plain, client, peer, metrics] = [(); 4].map(|()| free_port());
        let url = |port: u16| format!("https://127.0.0.1:{port}");
        let clients = format!("http://127.0.0.1:{plain},{},unixs://{SOCKET}", url(client));
        let server = Server::builder()
            .plain()
            .args(["--name=n0", "--data-dir=data"])
            .args([
                format!("--listen-client-urls={clients}"),
                format!("--advertise-client-urls={}", url(client)),
                format!("--listen-metrics-urls={}", url(metrics)),
                format!("--listen-peer-urls={}", url(peer)),
                format!("--initial-advertise-peer-urls={}", url(peer)),
                format!("--initial-cluster=n0={}", url(peer)),
            ])
            .args(flags)
            .spawn_only();
        let plain = SocketAddr::from((Ipv4Addr::LOCALHOST, plain));
        let mut encrypted = Encrypted { server, client, peer, metrics, plain };
        eventually("it serves", async || {
            assert!(encrypted.server.ended().is_none(), "{}", encrypted.server.log());
            tokio::net::TcpStream::connect(plain).await.ok()?;
            (Http::new(plain).get("/health").await.status == 200).then_some(())
        })
        .await;
        encrypted
    }

    /// One where a certificate of that authority's says who its holder is.
    pub(crate) async fn certifying(authority: &Authority, more: &[&str]) -> Encrypted {
        let (ca, own) = (authority.file(), own(authority));
        let mut flags = [own.flags(""), own.flags("peer-")].concat();
        flags.extend(["--client-cert-auth".to_owned(), file_flag("trusted-ca-file", &ca)]);
        flags.push(file_flag("peer-trusted-ca-file", &ca));
        flags.extend(more.iter().map(|&flag| flag.to_owned()));
        Encrypted::start(flags).await
    }

    /// Whether `curl` gets an answer with what it shows.
    fn answers(&self, port: u16, path: &str, ca: &Path, shown: Option<&Pair>) -> bool {
        curl(ca, shown, &["--http1.1", &format!("https://127.0.0.1:{port}{path}")]).status.success()
    }
}

/// A certificate for the server itself.
pub(crate) fn own(authority: &Authority) -> Pair {
    authority.issue("own", &Holder::new("server", &["127.0.0.1", "localhost"]))
}
