//! Certificates that are not taken any more.
//!
//! As etcd has it: a certificate is revoked if its serial number is listed, whoever signed the list and whenever.

use std::collections::HashSet;
use std::path::Path;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use super::certificate::{Certificate, Malformed, significant};
use super::error::TlsError;
use super::files::{content, read};

/// The serial numbers of a list.
#[derive(Debug)]
pub(super) struct Revoked(HashSet<Vec<u8>>);

/// Why a certificate is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum CrlRefusal {
    #[error("transport: certificate serial {0} revoked")]
    Revoked(String),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Revoked {
    /// Reads a list in its binary form, or several in PEM.
    pub(super) fn read(path: &Path) -> Result<Revoked, TlsError> {
        let bytes = read(path)?;
        let mut serials = HashSet::new();
        if bytes.starts_with(b"-----BEGIN") {
            for list in CertificateRevocationListDer::pem_slice_iter(&bytes) {
                let list = list.map_err(|error| content(path, error))?;
                add(&mut serials, &list).map_err(|error| content(path, error))?;
            }
        } else {
            add(&mut serials, &bytes).map_err(|error| content(path, error))?;
        }
        Ok(Revoked(serials))
    }

    /// Looks at all certificates that were shown.
    pub(super) fn check(&self, shown: &[CertificateDer<'_>]) -> Result<(), CrlRefusal> {
        for certificate in shown {
            let serial = Certificate::parse(certificate)?.serial;
            if self.0.contains(&serial) {
                let text = serial.iter().map(|byte| format!("{byte:02x}"));
                return Err(CrlRefusal::Revoked(text.collect()));
            }
        }
        Ok(())
    }
}

fn add(serials: &mut HashSet<Vec<u8>>, der: &[u8]) -> Result<(), String> {
    let (_, list) = CertificateRevocationList::from_der(der).map_err(|error| error.to_string())?;
    serials.extend(list.iter_revoked_certificates().map(|revoked| significant(revoked.raw_serial()).to_vec()));
    Ok(())
}
