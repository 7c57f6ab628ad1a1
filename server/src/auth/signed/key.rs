//! What signatures are known by.

use std::ops::RangeInclusive;

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::{PublicKey as RsaPublicKey, PublicKeyComponents, RsaParameters};
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use crate::config::SignMethod;

/// Shorter keys are weak, and a longer one costs too much at every request.
const RSA_BITS: RangeInclusive<u32> = 2048..=8192;

/// What tokens of one algorithm are known by. Does not show itself.
#[derive(Debug)]
pub(in crate::auth) enum VerifyingKey {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl VerifyingKey {
    /// Of a public key in any of its forms: a SubjectPublicKeyInfo, or an RSAPublicKey, a point on a curve, the 32 bytes of
    /// Ed25519.
    pub(in crate::auth) fn of(method: SignMethod, public: &[u8]) -> Option<VerifyingKey> {
        // Else no signature would be good, and nobody told why.
        if rsa(method).is_some() && !RSA_BITS.contains(&rsa_bits(public)?) {
            return None;
        }
        ParsedPublicKey::new(verification(method)?, public).ok().map(VerifyingKey::Public)
    }

    /// Of the numbers of a public key of RSA, the largest digits first.
    pub(in crate::auth) fn of_rsa(method: SignMethod, modulus: &[u8], exponent: &[u8]) -> Option<VerifyingKey> {
        let parameters = rsa(method)?;
        let (n, e) = (significant(modulus), significant(exponent));
        let is_odd = e.last().is_some_and(|last| last % 2 == 1);
        if !RSA_BITS.contains(&bits(n)?) || !is_odd || e == [1] {
            return None;
        }
        PublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok().map(VerifyingKey::Public)
    }

    pub(in crate::auth) fn is_signed_by(&self, text: &[u8], signature: &[u8]) -> bool {
        match self {
            VerifyingKey::Public(key) => key.verify_sig(text, signature).is_ok(),
            VerifyingKey::Secret(key) => hmac::verify(key, text, signature).is_ok(),
        }
    }
}

fn rsa_bits(public: &[u8]) -> Option<u32> {
    let key = RsaPublicKey::from_der(public).ok()?;
    RsaParameters::public_modulus_len(key.as_ref()).ok()
}

/// Without the zeros in front.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn bits(number: &[u8]) -> Option<u32> {
    let first = number.first()?;
    u32::try_from(number.len()).ok()?.checked_mul(8)?.checked_sub(first.leading_zeros())
}

fn rsa(method: SignMethod) -> Option<&'static RsaParameters> {
    Some(match method {
        SignMethod::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        SignMethod::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        SignMethod::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        // The salt is as long as the hash, as RFC 7518 has it.
        SignMethod::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        SignMethod::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        SignMethod::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn verification(method: SignMethod) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match method {
        SignMethod::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        SignMethod::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        SignMethod::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        SignMethod::EdDsa => &signature::ED25519,
        _ => return rsa(method).map(|parameters| parameters as &dyn VerificationAlgorithm),
    })
}
