//! What a certificate says of its holder.

use std::net::IpAddr;

use rustls::pki_types::UnixTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Error};

/// The parts of a certificate that are looked at here. Nobody vouches for them yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) common_name: String,
    pub(super) dns_names: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) serial: Vec<u8>,
    /// First and last second, of Unix time.
    pub(super) validity: (i64, i64),
    /// Without a list of usages, any is good.
    pub(super) is_for_clients: bool,
    pub(super) is_for_servers: bool,
}

/// A certificate that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("malformed certificate: {0}")]
pub(super) struct Malformed(String);

impl From<X509Error> for Malformed {
    fn from(error: X509Error) -> Malformed {
        Malformed(error.to_string())
    }
}

impl Certificate {
    pub(super) fn parse(der: &[u8]) -> Result<Certificate, Malformed> {
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| Malformed(error.to_string()))?;
        let names = parsed.subject().iter_common_name().last();
        let usages = parsed.extended_key_usage()?.map(|usages| usages.value);
        let mut certificate = Certificate {
            common_name: names.and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned(),
            serial: significant(parsed.raw_serial()).to_vec(),
            validity: (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp()),
            is_for_clients: usages.is_none_or(|usages| usages.any || usages.client_auth),
            is_for_servers: usages.is_none_or(|usages| usages.any || usages.server_auth),
            ..Certificate::default()
        };
        let alternatives = parsed.subject_alternative_name()?;
        for name in alternatives.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => certificate.dns_names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => certificate.addresses.extend(address(bytes)),
                _ => {}
            }
        }
        Ok(certificate)
    }

    /// The last second of its validity, of Unix time.
    pub(super) fn ends(&self) -> i64 {
        self.validity.1
    }

    /// Whether it is valid by then.
    pub(super) fn is_valid_at(&self, now: UnixTime) -> bool {
        let (first, last) = self.validity;
        i64::try_from(now.as_secs()).is_ok_and(|now| (first..=last).contains(&now))
    }

    pub(super) fn is_for(&self, usage: Usage) -> bool {
        match usage {
            Usage::Client => self.is_for_clients,
            Usage::Server => self.is_for_servers,
        }
    }

    /// Whether it is for that host: an address, or a name, of whose parts the first may be any where the certificate has `*`.
    pub(super) fn is_for_host(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        !host.is_empty() && self.dns_names.iter().any(|pattern| matches(pattern, host))
    }
}

/// What a certificate is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    Client,
    Server,
}

/// A serial number as CRLs and certificates are compared by it: a number, and not its bytes.
pub(super) fn significant(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    serial.get(zeros..).unwrap_or_default()
}

fn matches(pattern: &str, host: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('.'), host.split('.'));
    let (first, part) = (patterns.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (first == "*" || first.eq_ignore_ascii_case(part))
        && patterns.map(str::to_ascii_lowercase).eq(parts.map(str::to_ascii_lowercase))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    #[test]
    fn names_are_read_and_compared_as_they_are_elsewhere() {
        let mut params =
            CertificateParams::new(["*.example.test", "a.test", "10.1.2.3", "::1"].map(str::to_owned)).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "someone");
        let key = KeyPair::generate().unwrap();
        let certificate = Certificate::parse(params.self_signed(&key).unwrap().der()).unwrap();
        assert_eq!(certificate.common_name, "someone");
        assert!(certificate.is_for(Usage::Client) && certificate.is_for(Usage::Server));
        for host in ["x.example.test", "X.EXAMPLE.test.", "a.test", "10.1.2.3", "::1"] {
            assert!(certificate.is_for_host(host), "{host}");
        }
        for host in ["example.test", "y.x.example.test", "b.test", "10.1.2.4", "", ".", "someone"] {
            assert!(!certificate.is_for_host(host), "{host}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        assert!(Certificate::parse(b"nothing").is_err());
        assert_eq!(significant(&[0, 0, 1, 0]), [1, 0]);
    }
}
