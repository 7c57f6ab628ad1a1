//! Somebody else who signs.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
};
use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::config::SignMethod;

enum Pair {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
}

/// A key, and the algorithm that it is used for.
pub(super) struct Signer {
    method: SignMethod,
    pair: Pair,
    /// The public key.
    der: Vec<u8>,
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(super) fn encoded(value: &Value) -> String {
    text(value.to_string().as_bytes())
}

/// As if a public text were a secret.
pub(super) fn hs256(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let signed = format!("{}.{}", encoded(header), encoded(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", text(signature.as_ref()))
}

impl Signer {
    pub(super) fn new(method: SignMethod) -> Signer {
        use SignMethod::*;
        let rsa = |padding| Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()), padding);
        let ec = |algorithm: &'static EcdsaSigningAlgorithm, curve| {
            Pair::Ec(EcdsaKeyPair::generate(algorithm).unwrap(), curve)
        };
        let pair = match method {
            Rs256 => rsa(&signature::RSA_PKCS1_SHA256),
            Rs384 => rsa(&signature::RSA_PKCS1_SHA384),
            Rs512 => rsa(&signature::RSA_PKCS1_SHA512),
            Ps256 => rsa(&signature::RSA_PSS_SHA256),
            Ps384 => rsa(&signature::RSA_PSS_SHA384),
            Ps512 => rsa(&signature::RSA_PSS_SHA512),
            Es256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            Es384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            Es512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            EdDsa => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            Hs256 | Hs384 | Hs512 => panic!("secrets are not for others"),
        };
        let whole: PublicKeyX509Der<'_> = match &pair {
            Pair::Rsa(pair, _) => pair.public_key().as_der().unwrap(),
            Pair::Ec(pair, _) => pair.public_key().as_der().unwrap(),
            Pair::Ed(pair) => pair.public_key().as_der().unwrap(),
        };
        let der = whole.as_ref().to_vec();
        Signer { method, pair, der }
    }

    /// The public key, as a set of keys has it.
    pub(super) fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(..) => {
                let (_, whole) = SubjectPublicKeyInfo::from_der(&self.der).unwrap();
                let Ok(PublicKey::RSA(key)) = whole.parsed() else { panic!("{whole:?}") };
                let modulus = key.modulus.strip_prefix(&[0]).unwrap_or(key.modulus);
                json!({ "kty": "RSA", "n": text(modulus), "e": text(key.exponent) })
            }
            Pair::Ec(pair, curve) => {
                let point = pair.public_key().as_ref().get(1..).unwrap();
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
            }
            Pair::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) }),
        }
    }

    /// The same, with some parts more or others.
    pub(super) fn jwk_with(&self, others: &Value) -> Value {
        let mut jwk = self.jwk();
        for (name, value) in others.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    }

    pub(super) fn public_der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn public_pem(&self) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode_to_string(&self.der))
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_with(json!({ "typ": "JWT" }), claims)
    }

    pub(super) fn token_of_text(&self, claims: &str) -> String {
        let header = json!({ "alg": self.method.name() });
        self.signed(&format!("{}.{}", encoded(&header), text(claims.as_bytes())))
    }

    /// With this header; the algorithm is the key's if none is named.
    pub(super) fn token_with(&self, mut header: Value, claims: &Value) -> String {
        if header.get("alg").is_none() {
            header["alg"] = self.method.name().into();
        }
        self.signed(&format!("{}.{}", encoded(&header), encoded(claims)))
    }

    fn signed(&self, signed: &str) -> String {
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair, _) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", text(&signature))
    }
}
