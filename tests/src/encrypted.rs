//! Clients with TLS: one in this process, and `curl`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::Pair;

/// A client that trusts one authority.
#[derive(Clone)]
pub struct Encrypted {
    addr: SocketAddr,
    connector: TlsConnector,
}

impl std::fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encrypted").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Encrypted {
    /// For the server there, which `ca` vouches for.
    ///
    /// # Panics
    /// If the file holds no certificate.
    pub fn new(addr: SocketAddr, ca: &Path) -> Encrypted {
        Encrypted::showing(None, addr, ca)
    }

    /// The same, with something to show to who asks for it. It takes sessions up again, and sends early, where it is let.
    ///
    /// # Panics
    /// If a file does not hold what it should.
    pub fn showing(shown: Option<&Pair>, addr: SocketAddr, ca: &Path) -> Encrypted {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("an authority's");
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("versions");
        let config = config.with_root_certificates(roots);
        let mut config = match shown {
            Some(Pair { cert, key }) => {
                let chain = CertificateDer::pem_file_iter(cert).expect("a file").map(|der| der.expect("a certificate"));
                let key = PrivateKeyDer::from_pem_file(key).expect("a key");
                config.with_client_auth_cert(chain.collect(), key).expect("a certificate and its key")
            }
            None => config.with_no_client_auth(),
        };
        config.enable_early_data = shown.is_some();
        Encrypted { addr, connector: TlsConnector::from(Arc::new(config)) }
    }

    /// The same, which says by ALPN that it speaks HTTP/2.
    pub fn speaking_http2(self) -> Encrypted {
        let mut config = ClientConfig::clone(self.connector.config());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Encrypted { addr: self.addr, connector: TlsConnector::from(Arc::new(config)) }
    }

    /// A port of this process whose connections go on encrypted, for clients that know no TLS. As long as the runtime lives.
    ///
    /// # Panics
    /// If there is no port.
    pub async fn tunnel(self) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let here = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut plain, _)) = listener.accept().await {
                let client = self.clone();
                tokio::spawn(async move {
                    if let Ok(mut encrypted) = client.connect().await {
                        // However it ends, both ends see it.
                        let _ = tokio::io::copy_bidirectional(&mut plain, &mut encrypted).await;
                    }
                });
            }
        });
        here
    }

    /// A connection.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.addr).await?;
        self.connector.connect(self.addr.ip().into(), tcp).await
    }

    /// What is answered to a request, given as HTTP/1.1 writes it, until `wanted` or the end.
    ///
    /// # Errors
    /// When it was not answered.
    pub async fn begin(&self, request: &str, wanted: &str) -> io::Result<String> {
        let mut stream = self.connect().await?;
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains(wanted) {
            if stream.read_buf(&mut said).await? == 0 {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// A request on a connection of its own: the answer, and the certificate that was shown.
    ///
    /// # Errors
    /// When it was not answered.
    pub async fn get(&self, path: &str) -> io::Result<(String, Vec<u8>)> {
        let mut stream = self.connect().await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(|shown| shown.to_vec());
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok((answer, shown.unwrap_or_default()))
    }
}

/// Runs `curl`, silent and with a bound on its time, for a server that `ca` vouches for.
///
/// # Panics
/// If it cannot be started.
pub fn curl(ca: &Path, shown: Option<&Pair>, args: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail", "--max-time", "20", "--noproxy", "*", "--cacert"]).arg(ca);
    if let Some(Pair { cert, key }) = shown {
        command.arg("--cert").arg(cert).arg("--key").arg(key);
    }
    command.args(args).output().expect("curl can be started")
}
