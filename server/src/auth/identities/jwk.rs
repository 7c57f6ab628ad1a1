//! A key as a set of keys has it (RFC 7517, RFC 7518 section 6, RFC 8037): what it is for is said by the key itself, never by a token.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::auth::signed::key::VerifyingKey;
use crate::config::SignMethod;

/// What tokens may be known by.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name in the set, if it has one.
    pub(super) id: Option<String>,
    /// One for each algorithm that it is for.
    ways: Vec<(SignMethod, VerifyingKey)>,
}

impl Key {
    /// # Errors
    /// Why it is of no use here.
    pub(super) fn of(jwk: &Value) -> Result<Key, &'static str> {
        let text = |name: &str| match jwk.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err("a part of it is no text"),
        };
        let id = text("kid")?.map(str::to_owned);
        if text("use")?.is_some_and(|for_what| for_what != "sig") {
            return Err("it is not for signatures");
        }
        if jwk.get("key_ops").is_some_and(|ops| !ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")))
        {
            return Err("it is not for verifying");
        }
        if jwk.get("d").is_some() {
            return Err("it is a private key, which nobody may know but its owner");
        }
        let mut methods = methods(text("kty")?.unwrap_or_default(), text("crv")?.unwrap_or_default())?.to_vec();
        if let Some(alg) = text("alg")? {
            methods.retain(|method| method.name() == alg);
        }
        if methods.is_empty() {
            return Err("it is for another algorithm than its kind has");
        }
        let number = |name: &str| -> Result<Vec<u8>, &'static str> {
            let text = text(name)?.ok_or("a part of it is missing")?;
            URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| "a part of it is not in base64url")
        };
        let way = |method: SignMethod| -> Result<(SignMethod, VerifyingKey), &'static str> {
            let key = match method {
                SignMethod::EdDsa => VerifyingKey::of(method, &number("x")?),
                SignMethod::Es256 => point(method, number("x")?, number("y")?, 32),
                SignMethod::Es384 => point(method, number("x")?, number("y")?, 48),
                SignMethod::Es512 => point(method, number("x")?, number("y")?, 66),
                _ => VerifyingKey::of_rsa(method, &number("n")?, &number("e")?),
            };
            Ok((method, key.ok_or("its numbers are no key, or a weak one")?))
        };
        Ok(Key { id, ways: methods.into_iter().map(way).collect::<Result<_, _>>()? })
    }

    /// What signatures of this algorithm are known by, if it is for that.
    pub(super) fn way(&self, method: SignMethod) -> Option<&VerifyingKey> {
        self.ways.iter().find(|(own, _)| *own == method).map(|(_, key)| key)
    }
}

/// The algorithms of a kind of key. Secrets are none: whoever may ask for the set would know them.
fn methods(kind: &str, curve: &str) -> Result<&'static [SignMethod], &'static str> {
    use SignMethod::*;
    match (kind, curve) {
        ("RSA", "") => Ok(&[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512]),
        ("EC", "P-256") => Ok(&[Es256]),
        ("EC", "P-384") => Ok(&[Es384]),
        ("EC", "P-521") => Ok(&[Es512]),
        ("OKP", "Ed25519") => Ok(&[EdDsa]),
        _ => Err("it is of a kind that is not taken"),
    }
}

/// A point on a curve whose coordinates have so many bytes.
fn point(method: SignMethod, x: Vec<u8>, y: Vec<u8>, bytes: usize) -> Option<VerifyingKey> {
    let is_whole = x.len() == bytes && y.len() == bytes;
    is_whole.then(|| VerifyingKey::of(method, &[vec![4], x, y].concat()))?
}
