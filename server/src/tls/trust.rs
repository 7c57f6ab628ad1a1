//! Who vouches for others.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, RootCertStore};

use super::certificate::{Certificate, Usage};
use super::error::TlsError;
use super::files::{certificates, content};

/// Authorities.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    pub(super) roots: Arc<RootCertStore>,
    anchors: Arc<[CertificateDer<'static>]>,
}

impl Trust {
    /// Those of a file, or of the system.
    pub(super) fn read(file: Option<&Path>) -> Result<Trust, TlsError> {
        match file {
            Some(path) => Trust::of_file(path),
            None => Trust::of_system(),
        }
    }

    fn of_file(path: &Path) -> Result<Trust, TlsError> {
        let anchors = certificates(path)?;
        let mut roots = RootCertStore::empty();
        for anchor in &anchors {
            roots.add(anchor.clone()).map_err(|error| content(path, error))?;
        }
        Ok(Trust { roots: Arc::new(roots), anchors: anchors.into() })
    }

    /// Those that cannot be read are left out: a system has a hundred, and one odd one is none of ours.
    fn of_system() -> Result<Trust, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let errors = found.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(TlsError::System(if errors.is_empty() { "there are none".to_owned() } else { errors }));
        }
        Ok(Trust { roots: Arc::new(roots), anchors: [].into() })
    }

    /// Whether a certificate is itself one of those that were given. Then nothing has to lead to it, and it may be one of an
    /// authority: certificates that etcd makes for itself are, and the rules for paths do not take them at their end. `None`
    /// if it is not.
    pub(super) fn pinned(
        &self,
        shown: &CertificateDer<'_>,
        usage: Usage,
        now: UnixTime,
    ) -> Option<Result<Certificate, CertificateError>> {
        self.anchors.iter().find(|anchor| anchor.as_ref() == shown.as_ref())?;
        Some(match Certificate::parse(shown) {
            Err(_) => Err(CertificateError::BadEncoding),
            Ok(certificate) if !certificate.is_valid_at(now) => {
                let begun = i64::try_from(now.as_secs()).is_ok_and(|now| now > certificate.ends());
                Err(if begun { CertificateError::Expired } else { CertificateError::NotValidYet })
            }
            Ok(certificate) if !certificate.is_for(usage) => Err(CertificateError::InvalidPurpose),
            Ok(certificate) => Ok(certificate),
        })
    }
}
