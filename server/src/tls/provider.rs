//! How things are encrypted: by the one provider that is built in, with the suites and versions of the settings.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, SupportedCipherSuite, SupportedProtocolVersion};

use crate::config::{TlsTerms, TlsVersions};

pub(super) fn provider(terms: &TlsTerms) -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(chosen) = &terms.suites {
        provider.cipher_suites.retain(|suite| match suite {
            SupportedCipherSuite::Tls13(_) => true,
            SupportedCipherSuite::Tls12(_) => suite.suite().as_str().is_some_and(|name| chosen.contains(&name)),
        });
    }
    Arc::new(provider)
}

pub(super) fn versions(terms: &TlsTerms) -> &'static [&'static SupportedProtocolVersion] {
    static ONLY_12: [&SupportedProtocolVersion; 1] = [&TLS12];
    static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];
    match terms.versions {
        TlsVersions::Both => ALL_VERSIONS,
        TlsVersions::Only12 => &ONLY_12,
        TlsVersions::Only13 => &ONLY_13,
    }
}

/// What is spoken on a connection once it is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// HTTP of any version.
    Http,
    Http1,
    Http2,
}

impl Speaks {
    pub(super) const ALL: [Speaks; 3] = [Speaks::Http, Speaks::Http1, Speaks::Http2];

    /// The names by which the two sides agree on it, the preferred one first.
    pub(super) fn protocols(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Speaks::Http => &[b"h2", b"http/1.1"],
            Speaks::Http1 => &[b"http/1.1"],
            Speaks::Http2 => &[b"h2"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}
