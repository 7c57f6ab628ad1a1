//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is sent again is not done again.
//!
//! What came of it is a record in the store, written by the same transaction: so a retry may come to another member, after a
//! restart, or while the first is under way. The record is behind the key beside the prefix, named by a hash of whose it is and
//! what it is called, and has a lease of its own that takes it away. The quota of the database bounds how many there are.

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use keyport_api::etcdserverpb::RangeRequest;
use keyport_storage::{Record, Versions};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ask::Hold;
use crate::calls::{Caller, PutReply};
use crate::faces::rest::failure::Failure;

/// How long a request is remembered, in seconds.
pub(super) const REMEMBERED: i64 = 3600;
/// Bytes of such a key.
const MOST_BYTES: usize = 255;

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request that may come again.
#[derive(Clone, Debug)]
pub(super) struct Once {
    /// Where it is written down what came of it.
    pub(super) at: Bytes,
    /// What it is, in short: another one has to have another name.
    request: String,
}

/// What came of a request.
#[derive(Serialize, Deserialize)]
struct Done {
    key_b64: String,
    lease: i64,
    request: String,
}

impl Once {
    /// By the header, if it is there.
    ///
    /// # Errors
    /// `Malformed`.
    pub(super) fn of(
        headers: &HeaderMap,
        caller: &Caller,
        beside: &[u8],
        hold: Hold,
        value: &[u8],
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
        let hold = match hold {
            Hold::Nothing => String::new(),
            Hold::Lease(id) => format!("lease {id}"),
            Hold::Ttl(seconds) => format!("ttl {seconds}"),
        };
        let request = hash(&[hold.as_bytes(), value]);
        Ok(Some(Once { at, request }))
    }

    /// How it is looked up.
    pub(super) fn look(&self) -> RangeRequest {
        RangeRequest { key: self.at.clone(), ..RangeRequest::default() }
    }

    /// What is written down of it.
    pub(super) fn written(&self, key: &[u8], lease: i64) -> Bytes {
        let key_b64 = base64_simd::STANDARD.encode_to_string(key);
        let done = Done { key_b64, lease, request: self.request.clone() };
        // Texts and a number: there always is a form.
        serde_json::to_vec(&done).unwrap_or_default().into()
    }

    /// What was answered the first time, by what was written down then.
    ///
    /// # Errors
    /// `Reused`, where that was another request.
    pub(super) fn answer(&self, record: &Record, value: &[u8]) -> Result<PutReply, Failure> {
        let done: Done = serde_json::from_slice(record.value()).map_err(|_| Failure::Reused)?;
        if done.request != self.request {
            return Err(Failure::Reused);
        }
        let key = base64_simd::STANDARD.decode_to_vec(&done.key_b64).map_err(|_| Failure::Reused)?;
        // They were written together.
        let revision = record.versions().create_revision;
        let versions = Versions { create_revision: revision, mod_revision: revision, version: 1, lease: done.lease };
        Ok(PutReply { revision, record: Some(Record::new(&key, value, versions)), previous: None })
    }
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
