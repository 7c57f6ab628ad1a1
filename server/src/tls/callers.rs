//! What is asked of those who connect: a certificate that is vouched for, and that names somebody who is wanted.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::allowed;
use super::certificate::{Certificate, Usage};
use super::error::TlsError;
use super::trust::Trust;
use crate::config::Allowed;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Callers {
    paths: Arc<dyn ClientCertVerifier>,
    trust: Trust,
    allowed: Allowed,
}

impl Callers {
    pub(super) fn new(trust: Trust, allowed: Allowed, provider: Arc<CryptoProvider>) -> Result<Callers, TlsError> {
        let paths = WebPkiClientVerifier::builder_with_provider(Arc::clone(&trust.roots), provider).build()?;
        Ok(Callers { paths, trust, allowed })
    }
}

impl ClientCertVerifier for Callers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.paths.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let certificate = match self.trust.pinned(end_entity, Usage::Client, now) {
            Some(certificate) => certificate?,
            None => {
                self.paths.verify_client_cert(end_entity, intermediates, now)?;
                Certificate::parse(end_entity).map_err(|_| CertificateError::BadEncoding)?
            }
        };
        allowed::check(&self.allowed, &certificate)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.paths.supported_verify_schemes()
    }
}
