//! The side that dials.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::error::TlsError;
use super::files::KeyPair;
use super::provider::{Speaks, provider, versions};
use super::servers::Servers;
use super::trust::Trust;
use super::watched::{Source, Watched, some};
use crate::config::{KeyPairFiles, TlsSide};

/// Encrypts connections that this member has dialled. Cheap to clone; clones share what was read.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing(Arc<Watched<OutgoingFiles>>);

impl Outgoing {
    /// Nothing is read before somebody dials.
    pub(crate) fn new(side: TlsSide, speaks: Speaks) -> Outgoing {
        Outgoing(Arc::new(Watched::new(OutgoingFiles { side, speaks })))
    }

    /// For those who do not encrypt, or are known to the system.
    pub(crate) fn without_files(speaks: Speaks) -> Outgoing {
        Outgoing::new(TlsSide::default(), speaks)
    }

    /// # Errors
    /// What is wrong with the files, if some are named.
    pub(crate) fn open(&self) -> Result<(), TlsError> {
        if self.0.source().paths().is_empty() { Ok(()) } else { self.config().map(drop) }
    }

    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        self.0.get()
    }

    /// Encrypts a connection to a host. How long that may take is the caller's business.
    ///
    /// # Errors
    /// When the other side cannot do it, or is not who is wanted.
    pub(crate) async fn encrypt<S>(&self, io: S, host: &str) -> io::Result<(S, ClientConnection)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.config().map_err(io::Error::other)?;
        let name = self.0.source().side.server_name.as_deref().unwrap_or(host);
        // An address may name the network card that leads to it.
        let name = name.split('%').next().unwrap_or_default();
        let name =
            ServerName::try_from(name.to_owned()).map_err(|error| io::Error::other(format!("{name}: {error}")))?;
        Ok(TlsConnector::from(config).connect(name, io).await?.into_inner())
    }
}

#[derive(Debug)]
struct OutgoingFiles {
    side: TlsSide,
    speaks: Speaks,
}

impl OutgoingFiles {
    /// What is shown to who asks for it.
    fn shown(&self) -> Option<&KeyPairFiles> {
        self.side.dialling.as_ref().or(self.side.own.as_ref())
    }
}

impl Source for OutgoingFiles {
    type Made = ClientConfig;

    fn paths(&self) -> Vec<&Path> {
        let shown = self.shown();
        some([shown.map(|shown| &shown.cert), shown.map(|shown| &shown.key), self.side.trusted_ca.as_ref()])
    }

    fn make(&self) -> Result<ClientConfig, TlsError> {
        let OutgoingFiles { side, speaks } = self;
        let provider = provider(&side.terms);
        let servers = if side.skip_verification {
            Servers::any(Arc::clone(&provider))
        } else {
            let trust = Trust::read(side.trusted_ca.as_deref())?;
            Servers::new(trust, side.allowed.clone(), Arc::clone(&provider))?
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions(&side.terms))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(servers));
        let mut config = match self.shown() {
            Some(files) => {
                let KeyPair { chain, key } = KeyPair::read(files)?;
                let pair = |source| TlsError::Pair { cert: files.cert.clone(), key: files.key.clone(), source };
                builder.with_client_auth_cert(chain, key).map_err(pair)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = speaks.protocols();
        // Connections are few and long, and each is to be judged anew.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}
