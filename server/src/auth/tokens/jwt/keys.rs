//! The keys that tokens are signed with, and known by.

use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaEncoding};
use x509_parser::pem::Pem;

use crate::auth::signed::key::VerifyingKey;
use crate::config::{JwtConfig, SignMethod};

/// Why tokens cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("auth: missing key data")]
    Missing,
    #[error("auth: public and private keys don't match")]
    Mismatch,
    #[error("auth: invalid auth options ({}: {source})", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: invalid key: key must be PEM encoded", .0.display())]
    NotPem(PathBuf),
    #[error("{}: key is not a valid {what} key for {method}", path.display())]
    Unfit { path: PathBuf, what: &'static str, method: &'static str },
}

/// What to sign with, if there is such a key, and what to know by.
#[derive(Debug)]
pub(super) struct Keys {
    signing: Option<SigningKey>,
    verifying: VerifyingKey,
}

/// What tokens are signed with. Does not show itself.
#[derive(Debug)]
pub(super) enum SigningKey {
    Rsa(RsaKeyPair, Padding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Secret(Box<hmac::Key>),
}

/// How the hash becomes a number to sign.
#[derive(Clone, Copy)]
pub(super) struct Padding(&'static dyn RsaEncoding);

impl std::fmt::Debug for Padding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Padding")
    }
}

impl Keys {
    /// # Errors
    /// When a file cannot be read, or what it holds is not for the method.
    pub(super) fn read(config: &JwtConfig) -> Result<Keys, KeyError> {
        let read = |path: &Option<PathBuf>| match path {
            Some(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(Some((path.clone(), bytes)).filter(|(_, bytes)| !bytes.is_empty())),
                Err(source) => Err(KeyError::Unreadable { path: path.clone(), source }),
            },
            None => Ok(None),
        };
        let (public, private) = (read(&config.public_key)?, read(&config.private_key)?);
        Keys::of(config.method, public, private)
    }

    /// Of what was read from where.
    ///
    /// # Errors
    /// When it is not for the method.
    pub(super) fn of(
        method: SignMethod,
        public: Option<(PathBuf, Vec<u8>)>,
        private: Option<(PathBuf, Vec<u8>)>,
    ) -> Result<Keys, KeyError> {
        let unfit = |path: &Path, what| KeyError::Unfit { path: path.to_owned(), what, method: method.name() };
        if let Some(algorithm) = secret(method) {
            // All of the file, a line's end included; there is no public key.
            let (_, bytes) = private.ok_or(KeyError::Missing)?;
            let key = Box::new(hmac::Key::new(algorithm, &bytes));
            return Ok(Keys { signing: Some(SigningKey::Secret(key.clone())), verifying: VerifyingKey::Secret(key) });
        }
        let signing = match private {
            Some((path, bytes)) => {
                let key = SigningKey::of(method, &first_block(&path, &bytes)?);
                Some(key.ok_or_else(|| unfit(&path, "private"))?)
            }
            None => None,
        };
        let given = match public {
            Some((path, bytes)) => {
                let key = in_file(method, &first_block(&path, &bytes)?);
                Some(key.ok_or_else(|| unfit(&path, "public"))?)
            }
            None => None,
        };
        let own = signing.as_ref().and_then(SigningKey::public_half).and_then(|half| VerifyingKey::of(method, half));
        let verifying = given.or(own).ok_or(KeyError::Missing)?;
        // What one of them has signed, the other knows.
        let probe = b"keyport";
        let knows =
            |key: &SigningKey| key.sign(probe).is_some_and(|signature| verifying.is_signed_by(probe, &signature));
        if signing.as_ref().is_some_and(|key| !knows(key)) {
            return Err(KeyError::Mismatch);
        }
        Ok(Keys { signing, verifying })
    }

    /// None with a public key alone.
    pub(super) fn signing(&self) -> Option<&SigningKey> {
        self.signing.as_ref()
    }

    pub(super) fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }
}

/// Whatever its label says, as etcd takes it.
fn first_block(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
    let first = Pem::iter_from_buffer(bytes).next();
    first.and_then(Result::ok).map(|block| block.contents).ok_or_else(|| KeyError::NotPem(path.to_owned()))
}

/// Of a certificate, a SubjectPublicKeyInfo, or, for RSA, an RSAPublicKey.
fn in_file(method: SignMethod, der: &[u8]) -> Option<VerifyingKey> {
    match x509_parser::parse_x509_certificate(der) {
        Ok((_, certificate)) => VerifyingKey::of(method, certificate.public_key().raw),
        Err(_) => VerifyingKey::of(method, der),
    }
}

impl SigningKey {
    /// Of PKCS #8, or the form of its own that RSA (PKCS #1) and elliptic curves (SEC 1) have.
    fn of(method: SignMethod, der: &[u8]) -> Option<SigningKey> {
        use SignMethod::*;
        let rsa = |padding: &'static dyn RsaEncoding| {
            let pair = RsaKeyPair::from_der(der).or_else(|_| RsaKeyPair::from_pkcs8(der)).ok()?;
            Some(SigningKey::Rsa(pair, Padding(padding)))
        };
        let ecdsa = |algorithm| EcdsaKeyPair::from_private_key_der(algorithm, der).ok().map(SigningKey::Ecdsa);
        match method {
            Rs256 => rsa(&signature::RSA_PKCS1_SHA256),
            Rs384 => rsa(&signature::RSA_PKCS1_SHA384),
            Rs512 => rsa(&signature::RSA_PKCS1_SHA512),
            Ps256 => rsa(&signature::RSA_PSS_SHA256),
            Ps384 => rsa(&signature::RSA_PSS_SHA384),
            Ps512 => rsa(&signature::RSA_PSS_SHA512),
            Es256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Es384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Es512 => ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            EdDsa => Ed25519KeyPair::from_pkcs8(der).ok().map(SigningKey::Ed25519),
            Hs256 | Hs384 | Hs512 => None,
        }
    }

    fn public_half(&self) -> Option<&[u8]> {
        use aws_lc_rs::signature::KeyPair;
        match self {
            SigningKey::Rsa(key, _) => Some(key.public_key().as_ref()),
            SigningKey::Ecdsa(key) => Some(key.public_key().as_ref()),
            SigningKey::Ed25519(key) => Some(key.public_key().as_ref()),
            SigningKey::Secret(_) => None,
        }
    }

    /// None if the library fails.
    pub(super) fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            SigningKey::Rsa(key, Padding(padding)) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*padding, &random, text, &mut signature).ok()?;
                Some(signature)
            }
            SigningKey::Ecdsa(key) => key.sign(&random, text).ok().map(|signature| signature.as_ref().to_vec()),
            SigningKey::Ed25519(key) => Some(key.sign(text).as_ref().to_vec()),
            SigningKey::Secret(key) => Some(hmac::sign(key, text).as_ref().to_vec()),
        }
    }
}

fn secret(method: SignMethod) -> Option<hmac::Algorithm> {
    match method {
        SignMethod::Hs256 => Some(hmac::HMAC_SHA256),
        SignMethod::Hs384 => Some(hmac::HMAC_SHA384),
        SignMethod::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}
