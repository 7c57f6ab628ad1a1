//! The handshake of a connection that came in, and what is looked at after it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConnection;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};

use super::certificate::{Certificate, Malformed};
use super::crl::CrlRefusal;
use super::error::TlsError;
use super::greeting;
use super::handshakes::Handshakes;
use super::incoming::{Incoming, IncomingFiles};
use super::names::{self, Misplaced};
use super::provider::Speaks;
use super::watched::Watched;
use crate::config::TlsSide;
use crate::metrics::IntCounter;

/// From the first byte to the end of all checks, those by DNS included.
const PATIENCE: Duration = Duration::from_secs(10);

/// Encrypts what came in on one side. Cheap to clone; clones share what was read, and the bound on handshakes.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    material: Arc<Watched<IncomingFiles>>,
    handshakes: Handshakes,
    speaks: Speaks,
    side: Side,
    /// Whether the names in a caller's certificate have to be those of where he calls from.
    checks_names: bool,
    rejected: IntCounter,
}

/// Who connects there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Peer,
}

/// An encrypted connection, and what is known of the caller.
#[derive(Debug)]
pub(crate) struct Accepted<S> {
    pub(crate) io: S,
    pub(crate) session: ServerConnection,
    pub(crate) identity: CertificateIdentity,
}

/// Who a caller is by his certificate, where certificates say that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CertificateIdentity {
    /// The common name of a certificate that was vouched for; it may be empty, too.
    pub(crate) common_name: Option<Arc<str>>,
}

/// Why a connection is closed again.
#[derive(Debug, thiserror::Error)]
enum Rejection {
    #[error("{0}")]
    Material(#[from] TlsError),
    #[error("{0}")]
    Handshake(#[from] io::Error),
    #[error("handshake not finished within {PATIENCE:?}")]
    Timeout,
    #[error("too many handshakes are not finished")]
    Crowded,
    #[error(transparent)]
    Revoked(#[from] CrlRefusal),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
}

/// What is told of who was rejected, as far as it came.
#[derive(Debug, Default)]
struct Told {
    server_name: String,
    certificate: Certificate,
}

impl Acceptor {
    pub(super) fn new(side: Side, settings: TlsSide, rejected: IntCounter) -> Acceptor {
        let checks_names = side == Side::Peer && !settings.skip_caller_names;
        let speaks = if side == Side::Peer { Speaks::Http1 } else { Speaks::Http };
        let material = Arc::new(Watched::new(IncomingFiles(settings)));
        Acceptor { material, handshakes: Handshakes::default(), speaks, side, checks_names, rejected }
    }

    /// For what is spoken on one listener.
    pub(crate) fn speaking(mut self, speaks: Speaks) -> Acceptor {
        self.speaks = speaks;
        self
    }

    /// For those whose certificates have to name the place from which they call.
    pub(crate) fn checking_names(mut self) -> Acceptor {
        self.checks_names = true;
        self
    }

    /// What it shows and asks for at this moment.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(super) fn material(&self) -> Result<Arc<Incoming>, TlsError> {
        self.material.get()
    }

    pub(super) fn settings(&self) -> &TlsSide {
        &self.material.source().0
    }

    /// Goes on with what has been heard of the caller. `None` if the connection is closed again, which is logged.
    pub(crate) async fn accept<S>(&self, io: S, heard: Vec<u8>, remote: Option<SocketAddr>) -> Option<Accepted<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut told = Told::default();
        let mut place = self.handshakes.begin();
        let accepted = tokio::select! {
            accepted = tokio::time::timeout(PATIENCE, self.handshake(io, heard, remote, &mut told)) => {
                accepted.unwrap_or(Err(Rejection::Timeout))
            }
            () = place.lost() => Err(Rejection::Crowded),
        };
        match accepted {
            Ok(accepted) => Some(accepted),
            Err(rejection) => {
                self.rejected.inc();
                self.tell(remote, &told, &rejection);
                None
            }
        }
    }

    async fn handshake<S>(
        &self,
        mut io: S,
        mut heard: Vec<u8>,
        remote: Option<SocketAddr>,
        told: &mut Told,
    ) -> Result<Accepted<S>, Rejection>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let hello = greeting::hello(&mut io, &mut heard).await?;
        told.server_name = hello.client_hello().server_name().unwrap_or_default().to_owned();
        let material = self.material()?;
        let mut session = match hello.into_connection(material.config(self.speaks)) {
            Ok(session) => session,
            Err(refusal) => return Err(greeting::refused(&mut io, refusal).await.into()),
        };
        greeting::finish(&mut io, &mut session, &mut heard).await?;
        let shown = session.peer_certificates().unwrap_or_default();
        let identity = self.judge(&material, shown, remote.map(|remote| remote.ip()), told).await?;
        Ok(Accepted { io, session, identity })
    }

    async fn judge(
        &self,
        material: &Incoming,
        shown: &[CertificateDer<'_>],
        remote: Option<IpAddr>,
        told: &mut Told,
    ) -> Result<CertificateIdentity, Rejection> {
        let Some(leaf) = shown.first() else { return Ok(CertificateIdentity::default()) };
        told.certificate = Certificate::parse(leaf)?;
        if let Some(revoked) = &material.revoked {
            revoked.check(shown)?;
        }
        if let Some(remote) = remote.filter(|_| self.checks_names) {
            names::check(&told.certificate, remote).await?;
        }
        let names_callers = self.settings().client_cert_auth;
        let common_name = names_callers.then(|| Arc::from(told.certificate.common_name.as_str()));
        Ok(CertificateIdentity { common_name })
    }

    fn tell(&self, remote: Option<SocketAddr>, told: &Told, error: &Rejection) {
        let remote_addr = remote.map(|remote| remote.to_string()).unwrap_or_default();
        let Told { server_name, certificate: Certificate { addresses: ip_addresses, dns_names, .. } } = told;
        let gone = matches!(error, Rejection::Handshake(error) if error.kind() == io::ErrorKind::UnexpectedEof);
        match (self.side, gone) {
            (Side::Client, false) => {
                tracing::warn!(remote_addr, server_name, ?ip_addresses, ?dns_names, %error, "rejected connection on client endpoint");
            }
            (Side::Peer, false) => {
                tracing::warn!(remote_addr, server_name, ?ip_addresses, ?dns_names, %error, "rejected connection on peer endpoint");
            }
            // Somebody who looks whether there is a port.
            (_, true) => tracing::debug!(remote_addr, server_name, %error, "connection ended during the handshake"),
        }
    }
}
