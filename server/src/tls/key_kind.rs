//! Which keys a certificate may be shown with. Of others it is said what they are, as the certificate says it, and which will do.

use std::fmt;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::oid_registry::asn1_rs::Any;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// A key that nothing can be signed with here.
#[derive(Debug, thiserror::Error)]
#[error(
    "not a key that can be used (the certificate is for {0}); RSA of 2048 to 8192 bits, ECDSA with P-256, P-384 or P-521, \
     or Ed25519 will do"
)]
pub(super) struct Unusable(KeyKind);

/// By object identifiers.
const CURVES: [(&str, &str); 6] = [
    ("1.2.840.10045.3.1.7", "P-256"),
    ("1.3.132.0.34", "P-384"),
    ("1.3.132.0.35", "P-521"),
    ("1.3.132.0.33", "P-224"),
    ("1.2.840.10045.3.1.1", "P-192"),
    ("1.3.132.0.10", "secp256k1"),
];
const OTHERS: [(&str, &str); 4] = [
    ("1.2.840.113549.1.1.10", "RSA-PSS alone"),
    ("1.2.840.10040.4.1", "DSA"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
];

#[derive(Debug)]
enum KeyKind {
    /// With so many bits.
    Rsa(usize),
    /// With a curve, by its name or its object identifier.
    Ecdsa(String),
    Other(String),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyKind::Rsa(bits) => write!(f, "RSA with {bits} bits"),
            KeyKind::Ecdsa(curve) => write!(f, "ECDSA with the curve {curve}"),
            KeyKind::Other(name) => f.write_str(name),
        }
    }
}

/// Whether a key will do. Whether it is the certificate's is not looked at.
pub(super) fn check(key: &PrivateKeyDer<'_>, certificate: &CertificateDer<'_>) -> Result<(), Unusable> {
    any_supported_type(key).map(drop).map_err(|_| Unusable(KeyKind::of(certificate)))
}

impl KeyKind {
    fn of(certificate: &CertificateDer<'_>) -> KeyKind {
        match X509Certificate::from_der(certificate) {
            Ok((_, parsed)) => KeyKind::named(parsed.public_key()),
            Err(_) => KeyKind::Other("nothing that can be read".to_owned()),
        }
    }

    fn named(key: &SubjectPublicKeyInfo<'_>) -> KeyKind {
        match key.parsed() {
            Ok(PublicKey::RSA(rsa)) => KeyKind::Rsa(rsa.key_size()),
            Ok(PublicKey::EC(_)) => KeyKind::Ecdsa(curve(key.algorithm.parameters.as_ref())),
            _ => {
                let algorithm = key.algorithm.algorithm.to_id_string();
                KeyKind::Other(name(&OTHERS, &algorithm).map_or(format!("the algorithm {algorithm}"), str::to_owned))
            }
        }
    }
}

fn curve(parameters: Option<&Any<'_>>) -> String {
    match parameters.and_then(|parameters| parameters.as_oid().ok()).map(|oid| oid.to_id_string()) {
        Some(oid) => name(&CURVES, &oid).map_or(oid.clone(), str::to_owned),
        // Its numbers are spelled out.
        None => "without a name".to_owned(),
    }
}

fn name(names: &[(&str, &'static str)], oid: &str) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm};
    use rustls::pki_types::PrivatePkcs8KeyDer;

    use super::*;

    /// An RSA key's public half: a modulus of so many bits, and the usual exponent.
    struct Rsa(Vec<u8>);

    impl Rsa {
        fn with(bytes: u8) -> Rsa {
            let modulus = std::iter::once(0).chain(std::iter::repeat_n(0xc5, usize::from(bytes)));
            let head = [0x30, 0x81, bytes + 9, 0x02, 0x81, bytes + 1];
            Rsa(head.into_iter().chain(modulus).chain([0x02, 0x03, 1, 0, 1]).collect())
        }
    }

    impl PublicKeyData for Rsa {
        fn der_bytes(&self) -> &[u8] {
            &self.0
        }

        fn algorithm(&self) -> &'static SignatureAlgorithm {
            &PKCS_RSA_SHA256
        }
    }

    fn said(key: &[u8], certificate: &[u8]) -> String {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.to_vec()));
        check(&key, &certificate.to_vec().into()).map_or_else(|error| error.to_string(), |()| "it will do".to_owned())
    }

    /// The same with another object identifier of that length.
    fn with_oid(der: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
        let at = der.windows(old.len()).position(|window| window == old).unwrap();
        [&der[..at], new, &der[at + old.len()..]].concat()
    }

    #[test]
    fn of_keys_that_cannot_be_used_it_is_said_what_they_are_and_which_can() {
        let params = || CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        let authority = CertifiedIssuer::self_signed(params(), KeyPair::generate().unwrap()).unwrap();
        let short = params().signed_by(&Rsa::with(128), &authority).unwrap();
        assert_eq!(
            said(b"of which nothing is known", short.der()),
            "not a key that can be used (the certificate is for RSA with 1024 bits); RSA of 2048 to 8192 bits, ECDSA with \
             P-256, P-384 or P-521, or Ed25519 will do"
        );

        let key = KeyPair::generate().unwrap();
        let (key, certificate) = (key.serialize_der(), params().self_signed(&key).unwrap().der().to_vec());
        assert_eq!(said(&key, &certificate), "it will do");
        let p256 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        for (last, curve) in [(0x01, "P-192"), (0x02, "1.2.840.10045.3.1.2")] {
            let other = [&p256[..9], &[last]].concat();
            let said = said(&with_oid(&key, &p256, &other), &with_oid(&certificate, &p256, &other));
            assert!(said.contains(&format!("for ECDSA with the curve {curve});")), "{said}");
        }
        let ec = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        let dsa = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];
        let said_of = |certificate: &[u8]| said(b"", certificate);
        assert!(said_of(&with_oid(&certificate, &ec, &dsa)).contains("for DSA);"));
        assert!(said_of(b"").contains("for nothing that can be read);"));
    }
}
