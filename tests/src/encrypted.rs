//! Clients with TLS: one in this process, and `curl`.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
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
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("an authority's");
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("versions");
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Encrypted { addr, connector: TlsConnector::from(Arc::new(config)) }
    }

    /// A connection.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.addr).await?;
        self.connector.connect(self.addr.ip().into(), tcp).await
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
    curl_command(ca, shown, args).output().expect("curl can be started")
}

/// The same, told no more once it has said `wanted`: for answers that do not end. What it has said until then.
///
/// # Panics
/// If it cannot be started.
pub fn curl_until(wanted: &str, ca: &Path, shown: Option<&Pair>, args: &[&str]) -> String {
    let mut command = curl_command(ca, shown, args);
    let mut curl = command.arg("--no-buffer").stdout(Stdio::piped()).spawn().expect("curl can be started");
    let (mut said, mut part) = (Vec::new(), [0; 1024]);
    let mut out = curl.stdout.take().expect("it was asked for");
    while !String::from_utf8_lossy(&said).contains(wanted) {
        match out.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(length) => said.extend(part.iter().take(length)),
        }
    }
    let _ = curl.kill();
    let _ = curl.wait();
    String::from_utf8_lossy(&said).into_owned()
}

fn curl_command(ca: &Path, shown: Option<&Pair>, args: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail", "--max-time", "20", "--noproxy", "*", "--cacert"]).arg(ca);
    if let Some(Pair { cert, key }) = shown {
        command.arg("--cert").arg(cert).arg("--key").arg(key);
    }
    command.args(args);
    command
}
