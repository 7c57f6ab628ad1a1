//! The compact form of a token: header, claims and signature in base64, with dots between them.
//!
//! Nothing but the header is looked at before the signature is found to be good.

use std::sync::Arc;

use base64_simd::URL_SAFE_NO_PAD;
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::keys::VerifyingKey;

/// What a token says of its signature. Not proven.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    /// What must be understood by whoever reads it. Here, nothing is.
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// What a token says, signed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claims {
    pub(super) user: Arc<str>,
    /// Of users and roles.
    pub(super) revision: u64,
    /// Seconds since 1970, whole ones.
    pub(super) not_before: Option<f64>,
    /// The same. Without it, the token is good for as long as users and roles stay.
    pub(super) ends: Option<f64>,
}

impl Claims {
    /// Whether they are good at this time, in seconds since 1970.
    pub(super) fn hold(&self, now: f64) -> bool {
        self.not_before.is_none_or(|begin| now >= begin) && self.ends.is_none_or(|end| now < end)
    }
}

/// The claims of the tokens that are given out, in etcd's order.
#[derive(Debug, Serialize)]
pub(super) struct Outgoing<'a> {
    pub(super) exp: u64,
    pub(super) revision: u64,
    pub(super) username: &'a str,
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("it has not the form of a signed token")]
    Form,
    #[error("no key is for its algorithm")]
    NoKey,
    #[error("the signature is wrong")]
    Signature,
    #[error("claims are missing, or not of their type")]
    Claims,
}

/// Reads a token; `key` finds the one it has to be signed with, by what the header says. That must not be the token's choice:
/// a key is for one algorithm.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read<'k>(token: &str, key: impl FnOnce(&Header) -> Option<&'k VerifyingKey>) -> Result<Claims, Flaw> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Form)?;
    let (header, claims) = signed.split_once('.').ok_or(Flaw::Form)?;
    let header: Header = parse(header).ok_or(Flaw::Form)?;
    if header.crit.is_some() {
        return Err(Flaw::Form);
    }
    let key = key(&header).ok_or(Flaw::NoKey)?;
    let signature = URL_SAFE_NO_PAD.decode_to_vec(signature).map_err(|_| Flaw::Form)?;
    if !key.is_signed_by(signed.as_bytes(), &signature) {
        return Err(Flaw::Signature);
    }
    parse::<Incoming>(claims).and_then(Incoming::check).ok_or(Flaw::Claims)
}

/// Makes a token; `sign` signs. None if that fails.
pub(super) fn write(
    algorithm: &str,
    claims: &Outgoing<'_>,
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
fn parse<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode_to_vec(part).ok()?;
    let all: serde_json::Value = serde_json::from_slice(&json).ok()?;
    if !all.is_object() {
        return None;
    }
    // Once more from the text, where it shows whether a name is there twice.
    serde_json::from_slice(&json).ok()
}

/// The claims that count; there may be others.
#[derive(Deserialize)]
struct Incoming {
    username: String,
    revision: f64,
    #[serde(default, deserialize_with = "number")]
    exp: Option<f64>,
    #[serde(default, deserialize_with = "number")]
    nbf: Option<f64>,
}

/// What is there has to be a number: `null` is not the same as nothing, which for `exp` would mean for ever.
fn number<'de, D: Deserializer<'de>>(value: D) -> Result<Option<f64>, D::Error> {
    f64::deserialize(value).map(Some)
}

impl Incoming {
    fn check(self) -> Option<Claims> {
        Some(Claims {
            user: self.username.into(),
            revision: revision(self.revision)?,
            not_before: time(self.nbf)?,
            ends: time(self.exp)?,
        })
    }
}

/// Whole seconds. Zero is the year 1970, though etcd's library takes it for nothing. None for what 64 bits do not count.
fn time(seconds: Option<f64>) -> Option<Option<f64>> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    match seconds.map(f64::trunc) {
        Some(time) => (-BEYOND..BEYOND).contains(&time).then_some(Some(time)),
        None => Some(None),
    }
}

/// Without its fraction. None for what is no revision; and the largest is the cluster's own, which nobody may claim.
fn revision(number: f64) -> Option<u64> {
    const BEYOND: f64 = 9_007_199_254_740_992.0; // from there on not every number can be told from the next
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is looked at first")]
    (0.0..BEYOND).contains(&number).then_some(number as u64)
}
