//! What stands behind the question mark: names and values, in any bytes.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use keyport_openapi::endpoints::{Place, Resource};
use percent_encoding::percent_decode;

use super::kit;

/// Where each may be given once, there are no more names than this.
const MOST_PARAMETERS: usize = 64;

/// What is wrong with a parameter, whichever it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParameterError {
    #[error("unknown parameter {0}")]
    Unknown(String),
    #[error("{name}={value} is not {expected}")]
    Invalid { name: String, value: String, expected: &'static str },
    #[error("more than {MOST_PARAMETERS} parameters")]
    TooMany,
    #[error("{0} is given twice")]
    Twice(String),
    #[error("{name} is not base64")]
    NotBase64 { name: String },
}

/// One of the query.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: Vec<u8>,
}

/// All of them, as they stand there.
pub(super) fn parameters(query: &str) -> impl Iterator<Item = Parameter> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Parameter { name: String::from_utf8_lossy(&decoded(name)).into_owned(), value: decoded(value) }
    })
}

/// As [`parameters`], where each may be given once.
///
/// # Errors
/// When one is given again.
pub(super) fn parameters_once(query: &str) -> Result<Vec<Parameter>, ParameterError> {
    let mut all: Vec<Parameter> = Vec::new();
    for given in parameters(query) {
        if all.iter().any(|before| before.name == given.name) {
            return Err(ParameterError::Twice(given.name));
        }
        all.push(given);
        if all.len() > MOST_PARAMETERS {
            return Err(ParameterError::TooMany);
        }
    }
    Ok(all)
}

/// What takes nothing in its query is told nothing there.
///
/// # Errors
/// What is said nevertheless.
pub(super) fn none_but_known(resource: Resource, query: Option<&str>) -> Result<(), ParameterError> {
    let takes_some = || resource.info().parameters.iter().any(|parameter| parameter.place == Place::Query);
    match query {
        Some(query) if !takes_some() => parameters_once(query)?.into_iter().try_for_each(Parameter::unknown),
        _ => Ok(()),
    }
}

/// Any bytes may come percent-encoded; a plus sign is a space, as forms write it.
fn decoded(text: &str) -> Vec<u8> {
    let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_decode(spaced.as_bytes()).collect()
}

impl Parameter {
    /// The value as text, what is none of it replaced.
    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.value)
    }

    /// The value does not say what it should.
    pub(super) fn is_not(&self, expected: &'static str) -> ParameterError {
        ParameterError::Invalid { name: self.name.clone(), value: self.text().into_owned(), expected }
    }

    /// There is no such name: a mistake, but what libraries get around caches with: `_`, `_=1`, `r=0.5`, `t=1`. None of ours is
    /// that short.
    ///
    /// # Errors
    /// The mistake.
    pub(super) fn unknown(self) -> Result<(), ParameterError> {
        let ignored = self.name.starts_with('_') || self.name.len() == 1;
        if ignored { Ok(()) } else { Err(ParameterError::Unknown(self.name)) }
    }

    /// Yes or no; a name alone switches on.
    pub(super) fn flag(&self) -> Result<bool, ParameterError> {
        match &*self.value {
            b"" | b"true" | b"1" => Ok(true),
            b"false" | b"0" => Ok(false),
            _ => Err(self.is_not("true or false")),
        }
    }

    /// Whether what the asked member has is good enough.
    pub(super) fn is_serializable(&self) -> Result<bool, ParameterError> {
        match &*self.value {
            b"linearizable" => Ok(false),
            b"serializable" => Ok(true),
            _ => Err(self.is_not("linearizable or serializable")),
        }
    }

    /// A number that is not negative, of digits alone, without zeros in front.
    pub(super) fn number<N: FromStr>(&self, expected: &'static str) -> Result<N, ParameterError> {
        let text = self.text();
        let number = if kit::is_plain(&text) { text.parse().ok() } else { None };
        number.ok_or_else(|| self.is_not(expected))
    }

    /// One within bounds.
    pub(super) fn within(&self, bounds: &RangeInclusive<u16>, expected: &'static str) -> Result<u16, ParameterError> {
        let number = self.number(expected)?;
        if bounds.contains(&number) { Ok(number) } else { Err(self.is_not(expected)) }
    }

    /// The same, and not 0.
    pub(super) fn positive(&self, expected: &'static str) -> Result<i64, ParameterError> {
        match self.number(expected)? {
            0 => Err(self.is_not(expected)),
            number => Ok(number),
        }
    }

    /// The id of a lease, in digits, or in hexadecimal ones behind `0x`.
    pub(super) fn lease(&self) -> Result<i64, ParameterError> {
        kit::lease_id(&self.text()).ok_or_else(|| self.is_not("the id of a lease"))
    }

    /// How long to wait: a number of seconds, with or without an `s` behind it.
    pub(super) fn seconds(
        &self,
        allowed: impl Fn(u16) -> bool,
        expected: &'static str,
    ) -> Result<Duration, ParameterError> {
        let text = self.text();
        let digits = Some(text.strip_suffix('s').unwrap_or(&text)).filter(|digits| kit::is_plain(digits));
        let seconds = digits.and_then(|digits| digits.parse().ok()).filter(|&seconds| allowed(seconds));
        seconds.map(|seconds| Duration::from_secs(seconds.into())).ok_or_else(|| self.is_not(expected))
    }

    /// The bytes that a value in base64 stands for, in either alphabet, padded or not.
    pub(super) fn base64(&self) -> Result<Vec<u8>, ParameterError> {
        // Unescaped standard base64 has lost its plus signs.
        let text: Vec<u8> = self.value.iter().map(|&byte| if byte == b' ' { b'+' } else { byte }).collect();
        kit::from_base64(&text).ok_or_else(|| ParameterError::NotBase64 { name: self.name.clone() })
    }
}
