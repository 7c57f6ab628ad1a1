//! The keys that tokens from outside are known by.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::jwk::Key;
use super::{KeySetError, MOST_KEY_SET_BYTES};
use crate::auth::signed::compact::{Header, object};
use crate::auth::signed::key::VerifyingKey;
use crate::config::SignMethod;

/// No provider has nearly as many at one time.
const MOST_KEYS: usize = 100;
/// What a token may be that says what it is: others, such as those that end a session, are signed by the same keys.
const TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

impl KeySet {
    /// Keys that cannot be used are left out, as RFC 7517 has it: there may be others for other purposes.
    ///
    /// # Errors
    /// When none is left.
    pub(super) fn parse(text: &[u8]) -> Result<KeySet, KeySetError> {
        let set: Value = object(text).ok_or(KeySetError::Form)?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::Form)?;
        if listed.len() > MOST_KEYS {
            return Err(KeySetError::TooMany(MOST_KEYS));
        }
        let (mut keys, mut flaws) = (Vec::new(), Vec::new());
        for jwk in listed {
            match Key::of(jwk) {
                Ok(key) => keys.push(key),
                Err(flaw) => flaws.push(format!("; {}: {flaw}", jwk.get("kid").unwrap_or(&Value::Null))),
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::Unusable(flaws.concat()));
        }
        if !flaws.is_empty() {
            tracing::info!(left_out = flaws.concat().trim_start_matches("; "), "keys that are of no use here");
        }
        Ok(KeySet(keys))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The one that a token has to be signed with: the one of that name, or the only one for that algorithm. None also if
    /// it could be either of two.
    pub(super) fn find(&self, header: &Header) -> Option<&VerifyingKey> {
        let method = SignMethod::ALL.iter().copied().find(|method| method.name() == header.alg)?;
        if !is_taken(header) {
            return None;
        }
        let named = |key: &&Key| match &header.kid {
            Some(name) => key.id.as_deref().is_some_and(|id| name == id),
            None => true,
        };
        let mut found = self.0.iter().filter(named).filter_map(|key| key.way(method));
        let first = found.next()?;
        if found.next().is_none() { Some(first) } else { None }
    }

    /// Whether a token names a key that is not among these.
    pub(super) fn lacks_key_of(&self, header: &Header) -> bool {
        let name = header.kid.as_ref().and_then(Value::as_str);
        name.is_some_and(|name| !self.0.iter().any(|key| key.id.as_deref() == Some(name)))
    }
}

fn is_taken(header: &Header) -> bool {
    match &header.typ {
        None => true,
        Some(Value::String(named)) => {
            let lower = named.to_ascii_lowercase();
            let name = lower.strip_prefix("application/").unwrap_or(&lower);
            TYPES.iter().any(|taken| taken.eq_ignore_ascii_case(name))
        }
        Some(_) => false,
    }
}

/// What a file holds, if it is not too much.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, KeySetError> {
    let failed = |source| KeySetError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    let most = u64::try_from(MOST_KEY_SET_BYTES).unwrap_or(u64::MAX);
    File::open(path).map_err(failed)?.take(most.saturating_add(1)).read_to_end(&mut text).map_err(failed)?;
    if text.len() > MOST_KEY_SET_BYTES { Err(KeySetError::TooLarge) } else { Ok(text) }
}
