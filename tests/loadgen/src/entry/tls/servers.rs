//! What clients look at in a server's certificate. Its chain is looked at once, and that a handshake is signed by whom it names not at
//! all: all connections of a run are shown the same, and the clients have the cores in common with the servers that are measured.

use std::sync::{Arc, OnceLock};

use anyhow::Result;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// See the module's text.
#[derive(Debug)]
pub(super) struct Servers {
    chains: Arc<WebPkiServerVerifier>,
    /// The first that was good, and whom it was shown for.
    good: OnceLock<(CertificateDer<'static>, ServerName<'static>)>,
}

impl Servers {
    pub(super) fn new(ca: &CertificateDer<'static>, provider: Arc<CryptoProvider>) -> Result<Servers> {
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone())?;
        let chains = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build()?;
        Ok(Servers { chains, good: OnceLock::new() })
    }
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.good.get().is_some_and(|(leaf, name)| leaf == end_entity && name == server_name) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let _ = self.good.set((end_entity.clone().into_owned(), server_name.to_owned()));
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
