//! What is asked of whom this member dials.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::allowed;
use super::certificate::{Certificate, Usage};
use super::error::TlsError;
use super::trust::Trust;
use crate::config::Allowed;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Servers {
    /// `None` if whoever answers is right.
    checks: Option<Checks>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Checks {
    paths: Arc<WebPkiServerVerifier>,
    trust: Trust,
    allowed: Allowed,
}

impl Servers {
    pub(super) fn new(trust: Trust, allowed: Allowed, provider: Arc<CryptoProvider>) -> Result<Servers, TlsError> {
        let paths =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&trust.roots), Arc::clone(&provider)).build()?;
        Ok(Servers { checks: Some(Checks { paths, trust, allowed }), provider })
    }

    /// Takes whoever answers, as the settings may say.
    pub(super) fn any(provider: Arc<CryptoProvider>) -> Servers {
        Servers { checks: None, provider }
    }
}

impl Checks {
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = match self.trust.pinned(end_entity, Usage::Server, now) {
            Some(certificate) => {
                let certificate = certificate?;
                if !certificate.is_for_host(&server_name.to_str()) {
                    return Err(CertificateError::NotValidForName.into());
                }
                certificate
            }
            None => {
                self.paths.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
                Certificate::parse(end_entity).map_err(|_| CertificateError::BadEncoding)?
            }
        };
        allowed::check(&self.allowed, &certificate)
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
        if let Some(checks) = &self.checks {
            checks.verify(end_entity, intermediates, server_name, ocsp_response, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
