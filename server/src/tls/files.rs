//! Certificates and keys, as they are in files.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use rustls::pki_types::pem::{PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsError;
use super::key_kind;
use crate::config::KeyPairFiles;

/// A certificate, with those that lead to its authority after it, and its key.
pub(super) struct KeyPair {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl KeyPair {
    pub(super) fn read(files: &KeyPairFiles) -> Result<KeyPair, TlsError> {
        let chain = certificates(&files.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|error| content(&files.key, error))?;
        if let Some(leaf) = chain.first() {
            key_kind::check(&key, leaf).map_err(|unusable| content(&files.key, unusable))?;
        }
        Ok(KeyPair { chain, key })
    }
}

/// All certificates of a PEM file; there is at least one. Text between them is passed over, and what else is not.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(&text);
    let mut certificates = Vec::new();
    for section in sections {
        match section.map_err(|error| content(path, error))? {
            (SectionKind::Certificate, der) => certificates.push(CertificateDer::from(der)),
            // A key may stand in the same file.
            (SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _) => {}
            (kind, _) => return Err(content(path, format!("{kind:?} in the place of a certificate"))),
        }
    }
    if certificates.is_empty() {
        return Err(content(path, "no certificate in it"));
    }
    Ok(certificates)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

/// What is wrong with what a file holds.
pub(super) fn content(path: &Path, reason: impl Display) -> TlsError {
    TlsError::Content { path: path.to_owned(), reason: reason.to_string() }
}
