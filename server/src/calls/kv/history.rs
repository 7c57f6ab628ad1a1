//! What a key was, version by version.

use bytes::Bytes;
use keyport_api::etcdserverpb::RangeRequest;
use keyport_storage::auth::AuthError;
use keyport_storage::mvcc::{Pace, Past, Store};
use keyport_storage::{KeyRange, Record};

use super::reads::Named;
use crate::auth::{Needs, Rights};
use crate::bulk::Leash;
use crate::kv::{Dated, KvError};

/// What a page has of values at most, in bytes; one more version than that.
const PAGE_BYTES: usize = 256 * 1024;

/// What is wanted of it.
#[derive(Clone, Debug)]
pub struct HistoryRequest {
    pub key: Bytes,
    /// Only what is older than this revision; 0 for all.
    pub before: i64,
    /// How many versions at most.
    pub limit: usize,
    /// Whether what this member has is good enough.
    pub serializable: bool,
}

/// A page of it.
#[derive(Clone, Debug)]
pub struct HistoryReply {
    /// The store's revision when it was read.
    pub revision: i64,
    /// Up to where history is no longer known.
    pub compacted: i64,
    /// The newest first; a deletion is a record without a version.
    pub versions: Vec<Record>,
    /// Whether there are older ones.
    pub more: bool,
}

impl HistoryRequest {
    /// What the caller has to be allowed to read.
    pub(super) fn range(&self) -> RangeRequest {
        RangeRequest { key: self.key.clone(), serializable: self.serializable, ..RangeRequest::default() }
    }
}

impl Dated for HistoryReply {
    fn revision(&self) -> i64 {
        self.revision
    }
}

impl Named for HistoryRequest {
    const OP: &'static str = "read-only history";
}

impl Needs for HistoryRequest {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        self.range().check(rights)
    }

    fn keys(&self) -> Vec<KeyRange> {
        vec![KeyRange::single(self.key.clone())]
    }
}

/// # Errors
/// As a range.
pub(super) fn history(store: &Store, leash: &Leash<'_>, request: &HistoryRequest) -> Result<HistoryReply, KvError> {
    // Each may have to be read from the database.
    if !leash.goes_on(Pace::Rows(request.limit)) {
        return Err(KvError::Interrupted);
    }
    let Past { versions, more, revision } = store.past(&request.key, request.before, request.limit, PAGE_BYTES)?;
    Ok(HistoryReply { revision, compacted: store.compacted(), versions, more })
}
