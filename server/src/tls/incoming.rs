//! The side that listens: what is shown to those who connect, and what is asked of them.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage};

use super::callers::Callers;
use super::certificate::Certificate;
use super::crl::Revoked;
use super::error::TlsError;
use super::files::{KeyPair, content};
use super::provider::{Speaks, provider, versions};
use super::trust::Trust;
use super::watched::{Source, some};
use crate::config::TlsSide;

/// Made of the settings and the files of one side.
#[derive(Debug)]
pub(super) struct Incoming {
    /// By what is spoken.
    configs: [Arc<ServerConfig>; Speaks::ALL.len()],
    pub(super) revoked: Option<Revoked>,
    /// When the certificate ends, of Unix time.
    pub(super) ends: i64,
}

impl Incoming {
    pub(super) fn config(&self, speaks: Speaks) -> Arc<ServerConfig> {
        let [http, http1, http2] = &self.configs;
        Arc::clone(match speaks {
            Speaks::Http => http,
            Speaks::Http1 => http1,
            Speaks::Http2 => http2,
        })
    }
}

/// Reads them.
#[derive(Debug)]
pub(super) struct IncomingFiles(pub(super) TlsSide);

impl Source for IncomingFiles {
    type Made = Incoming;

    fn paths(&self) -> Vec<&Path> {
        let TlsSide { own, trusted_ca, crl, .. } = &self.0;
        let own = own.as_ref();
        some([own.map(|own| &own.cert), own.map(|own| &own.key), trusted_ca.as_ref(), crl.as_ref()])
    }

    fn make(&self) -> Result<Incoming, TlsError> {
        let side = &self.0;
        let files = side.own.as_ref().ok_or(TlsError::NoCertificate)?;
        let provider = provider(&side.terms);
        let KeyPair { chain, key } = KeyPair::read(files)?;
        let leaf = chain.first().map_or(Ok(Certificate::default()), |leaf| Certificate::parse(leaf));
        let ends = leaf.map_err(|error| content(&files.cert, error))?.ends();
        let base = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(&side.terms))?
            .with_client_cert_verifier(callers(side, provider)?)
            .with_single_cert(chain, key)
            .map_err(|source| TlsError::Pair { cert: files.cert.clone(), key: files.key.clone(), source })?;
        let configs = Speaks::ALL.map(|speaks| Arc::new(speaking(&base, speaks, side)));
        let revoked = side.crl.as_deref().map(Revoked::read).transpose()?;
        Ok(Incoming { configs, revoked, ends })
    }
}

fn callers(side: &TlsSide, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    if !side.asks_for_certificates() {
        return Ok(Arc::new(NoClientAuth));
    }
    let trust = Trust::read(side.trusted_ca.as_deref())?;
    Ok(Arc::new(Callers::new(trust, side.allowed.clone(), provider)?))
}

fn speaking(base: &ServerConfig, speaks: Speaks, side: &TlsSide) -> ServerConfig {
    let mut config = base.clone();
    config.alpn_protocols = speaks.protocols();
    if side.asks_for_certificates() {
        // A session that is taken up again shows its certificate to nobody: it could outlive it, and its authority.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        // As Go's servers. Whoever takes a session up again is given the next one.
        config.send_tls13_tickets = 1;
    }
    config
}
