//! A run's own authority, the certificate that it issues for the servers of both sides, and the TLS of the clients.
//!
//! The harness of the end-to-end suites has an authority, too. It is not used here: it comes with features of the server's
//! crates that only tests turn on, and the server that is built beside this program is the one that is measured.

mod servers;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fail::{Fail, net, rpc};
use servers::Servers;

/// Who shows a certificate.
#[derive(Clone, Copy, PartialEq, Debug, clap::ValueEnum)]
pub(crate) enum TlsMode {
    /// The server
    Server,
    /// The server, and every client
    Mutual,
}

/// Which connections of a run are encrypted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Scope {
    /// Those of clients, and who shows a certificate there.
    pub(crate) clients: Option<TlsMode>,
    /// Those between members; both ends show one.
    pub(crate) members: bool,
}

impl Scope {
    pub(crate) fn is_empty(self) -> bool {
        self.clients.is_none() && !self.members
    }
}

/// What a connection speaks above TLS.
#[derive(Clone, Copy)]
pub(crate) enum Protocol {
    H2,
    Http1,
}

/// The files that a server is started with.
#[derive(Clone)]
pub(crate) struct ServerFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) scope: Scope,
}

/// Both ends of the TLS of a run.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) files: ServerFiles,
    /// For clients, if theirs are encrypted.
    pub(crate) client: Option<ClientTls>,
}

impl Tls {
    /// With a new authority; `dir` is where the files go.
    pub(crate) fn new(scope: Scope, dir: &Path) -> Result<Tls> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "loadgen");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let write = |name: &str, text: String| -> Result<PathBuf> {
            let path = dir.join(name);
            fs::write(&path, text).with_context(|| path.display().to_string())?;
            Ok(path)
        };
        let (server, server_key) = issue(&authority)?;
        let files = ServerFiles {
            cert: write("server.pem", server.pem())?,
            key: write("server.key", server_key.serialize_pem())?,
            ca: write("ca.pem", authority.pem())?,
            scope,
        };
        let client = scope.clients.map(|mode| {
            let shown = if mode == TlsMode::Mutual { Some(issue(&authority)?) } else { None };
            let shown = shown.map(|(cert, key)| (cert.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der())));
            ClientTls::new(authority.der(), shown)
        });
        Ok(Tls { files, client: client.transpose()? })
    }
}

/// A certificate for the loopback address. For clients, too: a gateway may be its own server's client with it.
///
/// It names nobody: a gateway refuses clients whose certificate has a common name, which they might be taken for.
fn issue(authority: &CertifiedIssuer<'_, KeyPair>) -> Result<(rcgen::Certificate, KeyPair)> {
    let mut params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])?;
    params.distinguished_name = DistinguishedName::new();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, authority)?, key))
}

/// The clients' end. Every connection is a full handshake.
#[derive(Clone)]
pub(crate) struct ClientTls {
    h2: TlsConnector,
    http1: TlsConnector,
}

impl ClientTls {
    fn new(
        ca: &CertificateDer<'static>,
        shown: Option<(CertificateDer<'static>, PrivatePkcs8KeyDer<'static>)>,
    ) -> Result<ClientTls> {
        let provider = Arc::new(provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_protocol_versions(&[&rustls::version::TLS13])?;
        let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Servers::new(ca, provider)?));
        let mut config = match shown {
            None => config.with_no_client_auth(),
            Some((cert, key)) => config.with_client_auth_cert(vec![cert], key.into())?,
        };
        config.resumption = Resumption::disabled();
        let connector = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Ok(ClientTls { h2: connector(b"h2"), http1: connector(b"http/1.1") })
    }

    /// Shakes hands over a connection that stands.
    pub(super) async fn connect(
        &self,
        addr: SocketAddr,
        tcp: TcpStream,
        protocol: Protocol,
    ) -> Result<TlsStream<TcpStream>, Fail> {
        let connector = if let Protocol::H2 = protocol { &self.h2 } else { &self.http1 };
        let stream = connector.connect(addr.ip().into(), tcp).await.map_err(net)?;
        match (protocol, stream.get_ref().1.alpn_protocol()) {
            // A server need not name HTTP/1.1, and etcd does not.
            (Protocol::H2, Some(b"h2")) | (Protocol::Http1, None | Some(b"http/1.1")) => Ok(stream),
            (_, None) => Err(rpc("the server names no protocol: not HTTP/2")),
            (_, Some(other)) => Err(rpc(format!("the server chose {}", String::from_utf8_lossy(other)))),
        }
    }
}

/// One group and one suite, so that both servers do the same work, whatever each would rather have.
fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..aws_lc_rs::default_provider()
    }
}

#[cfg(test)]
mod tests {
    use rustls::RootCertStore;
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::server::WebPkiClientVerifier;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::entry::Access;

    /// A server with these files that speaks one protocol, for one connection.
    async fn serve(files: &ServerFiles, alpn: &[u8]) -> SocketAddr {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&files.ca).unwrap()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let config = match files.scope.clients {
            None | Some(TlsMode::Server) => config.with_no_client_auth(),
            Some(TlsMode::Mutual) => config.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap(),
            ),
        };
        let cert = CertificateDer::from_pem_file(&files.cert).unwrap();
        let mut config =
            config.with_single_cert(vec![cert], PrivateKeyDer::from_pem_file(&files.key).unwrap()).unwrap();
        config.alpn_protocols = vec![alpn.to_vec()];
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(tcp).await {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"hello").await;
            }
        });
        addr
    }

    /// What the server says to a client with that TLS.
    async fn said(client: &Tls, addr: SocketAddr, protocol: Protocol) -> Result<Vec<u8>, String> {
        let access = Access { tls: client.client.clone(), logins: vec![] };
        let mut socket = access.stranger(addr).dial(protocol).await.map_err(|e| e.to_string())?;
        let mut said = vec![0; 5];
        tokio::io::AsyncReadExt::read_exact(&mut socket, &mut said).await.map_err(|e| e.to_string())?;
        Ok(said)
    }

    fn encrypting(mode: TlsMode, dir: &Path) -> Tls {
        Tls::new(Scope { clients: Some(mode), members: false }, dir).unwrap()
    }

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("loadgen-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[tokio::test]
    async fn clients_believe_the_authority_of_the_run_alone() {
        let dirs = [folder("ours"), folder("other")];
        let [ours, other] = dirs.each_ref().map(|dir| encrypting(TlsMode::Server, dir));
        assert_eq!(said(&ours, serve(&ours.files, b"h2").await, Protocol::H2).await.unwrap(), b"hello");
        let refused = said(&other, serve(&ours.files, b"h2").await, Protocol::H2).await.unwrap_err();
        assert!(refused.contains("certificate"), "{refused}");
        dirs.iter().for_each(|dir| fs::remove_dir_all(dir).unwrap());
    }

    #[tokio::test]
    async fn clients_show_a_certificate_when_they_are_to() {
        let dir = folder("mutual");
        let mutual = encrypting(TlsMode::Mutual, &dir);
        assert_eq!(said(&mutual, serve(&mutual.files, b"http/1.1").await, Protocol::Http1).await.unwrap(), b"hello");
        let silent = ClientTls::new(&CertificateDer::from_pem_file(&mutual.files.ca).unwrap(), None).unwrap();
        let silent = Tls { client: Some(silent), ..mutual.clone() };
        assert!(said(&silent, serve(&mutual.files, b"http/1.1").await, Protocol::Http1).await.is_err());
        fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn grpc_needs_a_server_that_names_http2() {
        let dir = folder("alpn");
        let tls = encrypting(TlsMode::Server, &dir);
        assert!(said(&tls, serve(&tls.files, b"http/1.1").await, Protocol::H2).await.is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
