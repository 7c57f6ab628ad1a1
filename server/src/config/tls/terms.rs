//! Versions of TLS and cipher suites.

use super::super::settings::Settings;
use super::{ConfigError, invalid};

/// What may be spoken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsTerms {
    /// Suites of TLS 1.2, by the names of the standard; all that there are, if none is named. Those of TLS 1.3 are not chosen.
    pub suites: Option<Vec<&'static str>>,
    pub versions: TlsVersions,
}

/// Versions that are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    #[default]
    Both,
    Only12,
    Only13,
}

/// The suites of TLS 1.2 that there are.
const SUITES: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// Those of TLS 1.3: always there, named or not.
const SUITES_13: [&str; 3] = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/// What else etcd takes, and is too weak to be here.
const WEAK_SUITES: [&str; 16] = [
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

impl TlsTerms {
    pub(super) fn read(s: &mut Settings) -> Result<TlsTerms, ConfigError> {
        let (least, most) = (s.string("tls-min-version"), s.string("tls-max-version"));
        let least_is_13 = is_13(&least)?.unwrap_or(false);
        let most_is_13 = is_13(&most)?.unwrap_or(true);
        let versions = match (least_is_13, most_is_13) {
            (false, true) => TlsVersions::Both,
            (false, false) => TlsVersions::Only12,
            (true, true) => TlsVersions::Only13,
            (true, false) => {
                return Err(invalid(format!("min version ({least}) is greater than max version ({most})")));
            }
        };
        let named = s.list("cipher-suites");
        if versions == TlsVersions::Only13 && !named.is_empty() {
            return Err(invalid("cipher suites cannot be configured when only TLS1.3 is enabled"));
        }
        Ok(TlsTerms { suites: suites(&named, s)?, versions })
    }
}

fn is_13(version: &str) -> Result<Option<bool>, ConfigError> {
    match version {
        "" => Ok(None),
        "TLS1.2" => Ok(Some(false)),
        "TLS1.3" => Ok(Some(true)),
        _ => Err(invalid(format!("unexpected TLS version {version:?} (must be one of: TLS1.2, TLS1.3)"))),
    }
}

fn suites(named: &[String], s: &mut Settings) -> Result<Option<Vec<&'static str>>, ConfigError> {
    if named.is_empty() {
        return Ok(None);
    }
    let (mut suites, mut absent) = (Vec::new(), Vec::new());
    for name in named {
        let without_hash = |suite: &&&str| suite.contains("CHACHA20") && suite.strip_suffix("_SHA256") == Some(name);
        let known = SUITES.iter().find(|suite| *suite == name).or_else(|| SUITES.iter().find(without_hash));
        match known {
            Some(suite) => suites.push(*suite),
            None if WEAK_SUITES.contains(&name.as_str()) => absent.push(name.as_str()),
            None if SUITES_13.contains(&name.as_str()) => {}
            None => return Err(invalid(format!("unexpected TLS cipher suite {name:?}"))),
        }
    }
    if !absent.is_empty() {
        s.warnings.push(format!("cipher suites that are too weak to be here, ignored: {}", absent.join(", ")));
        if suites.is_empty() {
            return Err(invalid(format!("none of --cipher-suites is available: {}", absent.join(", "))));
        }
    }
    // With those of TLS 1.3 alone, nothing was chosen.
    Ok(Some(suites).filter(|suites| !suites.is_empty()))
}
