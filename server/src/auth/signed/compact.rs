//! The compact form of a token: header, claims and signature in base64, with dots between them.
//!
//! Nothing but the header is looked at before the signature is found to be good.

use base64_simd::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::VerifyingKey;
use super::unique::Unique;

/// What a token says of its signature. Not proven.
#[derive(Debug, Deserialize)]
pub(in crate::auth) struct Header {
    pub(in crate::auth) alg: String,
    /// Which of several keys, and what kind of token. Of any type: not everybody looks at them.
    #[serde(default, deserialize_with = "whatever")]
    pub(in crate::auth) kid: Option<Value>,
    #[serde(default, deserialize_with = "whatever")]
    pub(in crate::auth) typ: Option<Value>,
    /// What must be understood by whoever reads it. Here, nothing is.
    #[serde(default, deserialize_with = "whatever")]
    crit: Option<Value>,
}

/// What is there, be it `null`.
fn whatever<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::auth) enum Flaw {
    #[error("it has not the form of a signed token")]
    Form,
    #[error("no key is for its algorithm")]
    NoKey,
    #[error("the signature is wrong")]
    Signature,
    #[error("{0}")]
    Claims(&'static str),
}

/// What is said of claims about which there is no more to say.
pub(in crate::auth) const USELESS: &str = "claims are missing, or not of their type";

/// Reads a token; `key` finds the one it has to be signed with, by what the header says. That must not be the token's choice:
/// a key is for one algorithm. `claims` makes something of what it says, once that is known to be signed, or says what is
/// wrong with that.
///
/// # Errors
/// What is wrong with it.
pub(in crate::auth) fn read<'k, C, T: DeserializeOwned>(
    token: &str,
    key: impl FnOnce(&Header) -> Option<&'k VerifyingKey>,
    claims: impl FnOnce(T) -> Result<C, &'static str>,
) -> Result<C, Flaw> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Form)?;
    let (header, said) = signed.split_once('.').ok_or(Flaw::Form)?;
    let header: Header = parse(header).ok_or(Flaw::Form)?;
    if header.crit.is_some() {
        return Err(Flaw::Form);
    }
    let key = key(&header).ok_or(Flaw::NoKey)?;
    let signature = URL_SAFE_NO_PAD.decode_to_vec(signature).map_err(|_| Flaw::Form)?;
    if !key.is_signed_by(signed.as_bytes(), &signature) {
        return Err(Flaw::Signature);
    }
    claims(parse(said).ok_or(Flaw::Claims(USELESS))?).map_err(Flaw::Claims)
}

/// Makes a token; `sign` signs. None if that fails.
pub(in crate::auth) fn write(
    algorithm: &str,
    claims: &impl Serialize,
    sign: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Option<String> {
    #[derive(Serialize)]
    struct Header<'a> {
        alg: &'a str,
        typ: &'static str,
    }
    let encoded =
        |json: Result<Vec<u8>, serde_json::Error>| json.ok().map(|json| URL_SAFE_NO_PAD.encode_to_string(json));
    let header = encoded(serde_json::to_vec(&Header { alg: algorithm, typ: "JWT" }))?;
    let signed = format!("{header}.{}", encoded(serde_json::to_vec(claims))?);
    let signature = sign(signed.as_bytes())?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode_to_string(signature)))
}

/// All of it has to be an object in JSON. Serde alone would take a list of the values, too, and not look at what it skips.
fn parse<T: DeserializeOwned>(part: &str) -> Option<T> {
    object(&URL_SAFE_NO_PAD.decode_to_vec(part).ok()?)
}

/// An object in JSON, without a name that is there twice.
pub(in crate::auth) fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    let Unique(all) = serde_json::from_slice(json).ok()?;
    if all.is_object() { serde_json::from_value(all).ok() } else { None }
}

/// What is there has to be a number: `null` is not the same as nothing, which for `exp` would mean for ever.
pub(in crate::auth) fn number<'de, D: Deserializer<'de>>(value: D) -> Result<Option<f64>, D::Error> {
    f64::deserialize(value).map(Some)
}
