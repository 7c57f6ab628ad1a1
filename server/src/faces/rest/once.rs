//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is sent again is not done again.
//!
//! What came of it is a record in the store, written by the same transaction: so a retry may come to another member, after a
//! restart, or while the first is under way. The record is behind a key that the resource says, named by a hash of whose it is
//! and what it is called, and has a lease of its own that takes it away. The quota of the database bounds how many there are.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use keyport_api::etcdserverpb::{Compare, PutRequest, RangeRequest};
use keyport_storage::Record;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use crate::calls::Caller;

/// What keys begin with that are beside those that somebody has asked for.
pub(super) const BESIDE: &[u8] = b"__";
/// How long a request is remembered, in seconds.
pub(super) const REMEMBERED: i64 = 3600;
/// Bytes of such a key.
const MOST_BYTES: usize = 255;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Beside an answer that is not the first to its request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A request that may come again.
#[derive(Clone, Debug)]
pub(super) struct Once {
    /// Where it is written down what came of it.
    pub(super) at: Bytes,
    /// What it is, in short: another one has to have another name.
    request: String,
}

/// What is written down of a request, and what came of it.
#[derive(Serialize, Deserialize)]
struct Written<T> {
    request: String,
    #[serde(flatten)]
    done: T,
}

impl Once {
    /// By the header, if it is there. `request` is what makes it the same one.
    ///
    /// # Errors
    /// `Malformed`.
    pub(super) fn of(
        headers: &HeaderMap,
        caller: &Caller,
        beside: &[u8],
        request: &[&[u8]],
    ) -> Result<Option<Once>, Failure> {
        let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(name) = given.next() else { return Ok(None) };
        let malformed = |detail: &str| Failure::Malformed(format!("Idempotency-Key {detail}"));
        if given.next().is_some() {
            return Err(malformed("is there twice"));
        }
        let name = name.to_str().map_err(|_| malformed("is no text"))?.trim();
        // A string of structured fields, or the same without quotes.
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        if name.is_empty() || name.len() > MOST_BYTES {
            return Err(malformed("has from 1 to 255 characters"));
        }
        let author = caller.author();
        let user = author.as_ref().map_or(&b""[..], |author| author.user.as_bytes());
        let slash: &[u8] = if beside.ends_with(b"/") { b"" } else { b"/" };
        let own = hash(&[user, name.as_bytes()]);
        let at = Bytes::from([beside, slash, b"once/", own.as_bytes()].concat());
        Ok(Some(Once { at, request: hash(request) }))
    }

    /// How it is looked up.
    pub(super) fn look(&self) -> RangeRequest {
        RangeRequest { key: self.at.clone(), ..RangeRequest::default() }
    }

    /// That it has not been done yet.
    pub(super) fn is_new(&self) -> Compare {
        Compare {
            result: CompareResult::Equal.into(),
            target: CompareTarget::Create.into(),
            key: self.at.clone(),
            range_end: Bytes::new(),
            target_union: Some(TargetUnion::CreateRevision(0)),
        }
    }

    /// How it is written down, with a lease that takes it away.
    pub(super) fn write<T: Serialize>(&self, done: T, lease: i64) -> PutRequest {
        let written = Written { request: self.request.clone(), done };
        // Of texts and numbers: there always is a form.
        let value = serde_json::to_vec(&written).unwrap_or_default().into();
        PutRequest { key: self.at.clone(), value, lease, ..PutRequest::default() }
    }

    /// What came of it the first time, by what was written down then.
    ///
    /// # Errors
    /// `Reused`, where that was another request.
    pub(super) fn done<T: DeserializeOwned>(&self, record: &Record) -> Result<T, Failure> {
        let Written { request, done } = serde_json::from_slice(record.value()).map_err(|_| Failure::Reused)?;
        if request == self.request { Ok(done) } else { Err(Failure::Reused) }
    }
}

/// Refuses the header where nothing is remembered: `instead` says what keeps such a request from being done twice.
///
/// # Errors
/// `Malformed`.
pub(super) fn refuse(headers: &HeaderMap, instead: &str) -> Result<(), Failure> {
    if headers.contains_key(IDEMPOTENCY_KEY) {
        return Err(Failure::Malformed(format!("Idempotency-Key is not taken here: {instead}")));
    }
    Ok(())
}

/// Says in an answer that it is not the first.
pub(super) fn mark<B>(response: &mut Response<B>) {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
}

/// Of several parts, each with its length, so that they do not run into each other.
fn hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
