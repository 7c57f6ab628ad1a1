//! The multi-version store: revisions over the backend, with the newest version of every live key in memory.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::backend::{Applied, Backend, BackendError, Batch};
use crate::watch::{History, HistoryError, HistoryPage, HistoryRead};
use crate::{Event, KeyRange, Record};

/// Why a read, or a compaction, was refused.
#[derive(Clone, Debug, Error)]
pub enum MvccError {
    #[error("required revision has been compacted")]
    Compacted,
    #[error("required revision is a future revision")]
    FutureRevision,
    #[error(transparent)]
    Backend(#[from] BackendError),
}

#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Rows that one step of a compaction looks at.
    pub compaction_batch_limit: usize,
    /// The pause between two steps.
    pub compaction_pause: Duration,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions { compaction_batch_limit: 1000, compaction_pause: Duration::from_millis(10) }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct RangeOptions {
    /// Not positive: the current revision.
    pub revision: i64,
    /// How many records are returned at most; 0: all.
    pub limit: usize,
    pub count_only: bool,
}

#[derive(Clone, Debug, Default)]
pub struct RangeResult {
    /// In the order of the keys.
    pub records: Vec<Record>,
    /// All keys of the range at that revision, whatever the limit.
    pub count: i64,
    /// The store's current revision when it was read.
    pub revision: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashKv {
    pub hash: u32,
    pub compact_revision: i64,
    pub hash_revision: i64,
    pub current_revision: i64,
}

/// What a committed transaction did.
#[derive(Clone, Debug)]
pub struct Changes {
    pub revision: i64,
    pub events: Vec<Event>,
}

#[derive(Debug)]
pub struct Store {}

impl Store {
    /// Reads the backend and resumes a compaction that was interrupted.
    pub fn open(_backend: Arc<Backend>, _options: StoreOptions) -> Result<Store, BackendError> {
        unimplemented!()
    }

    pub fn revision(&self) -> i64 {
        unimplemented!()
    }

    pub fn compacted(&self) -> i64 {
        unimplemented!()
    }

    /// How many keys are alive.
    pub fn key_count(&self) -> usize {
        unimplemented!()
    }

    /// The newest version of a key, from memory.
    pub fn get(&self, _key: &[u8]) -> Option<Record> {
        unimplemented!()
    }

    pub fn range(&self, _range: &KeyRange, _options: RangeOptions) -> Result<RangeResult, MvccError> {
        unimplemented!()
    }

    pub fn write(&self) -> WriteTxn<'_> {
        unimplemented!()
    }

    pub fn compact(&self, _revision: i64) -> Result<CompactionHandle, MvccError> {
        unimplemented!()
    }

    pub fn hash_kv(&self, _revision: i64) -> Result<HashKv, MvccError> {
        unimplemented!()
    }

    /// Calls `each(lease, key)` for every live key that is attached to a lease.
    pub fn keys_attached(&self, _each: &mut dyn FnMut(i64, &[u8])) {
        unimplemented!()
    }
}

impl History for Store {
    fn revision(&self) -> i64 {
        Store::revision(self)
    }

    fn compacted(&self) -> i64 {
        Store::compacted(self)
    }

    fn events(&self, _read: HistoryRead) -> Result<HistoryPage, HistoryError> {
        unimplemented!()
    }
}

/// The one writer. Dropped without a commit it leaves no trace.
#[derive(Debug)]
pub struct WriteTxn<'a> {
    _store: &'a Store,
}

impl WriteTxn<'_> {
    /// Sees what was written so far; at an explicit revision it sees the store as it was.
    pub fn range(&self, _range: &KeyRange, _options: RangeOptions) -> Result<RangeResult, MvccError> {
        unimplemented!()
    }

    pub fn get(&self, _key: &[u8]) -> Option<Record> {
        unimplemented!()
    }

    /// Returns the version that it replaced.
    pub fn put(&mut self, _key: &[u8], _value: &[u8], _lease: i64) -> Option<Record> {
        unimplemented!()
    }

    /// Returns what it removed, in the order of the keys.
    pub fn delete_range(&mut self, _range: &KeyRange) -> Vec<Record> {
        unimplemented!()
    }

    /// The revision before the transaction.
    pub fn start_revision(&self) -> i64 {
        unimplemented!()
    }

    /// The revision as it would be now: one more than at the start once anything changed.
    pub fn revision(&self) -> i64 {
        unimplemented!()
    }

    /// Rows of other buckets that belong to the same log entry.
    pub fn batch(&mut self) -> &mut Batch {
        unimplemented!()
    }

    pub fn commit(self, _applied: Option<Applied>) -> Changes {
        unimplemented!()
    }
}

/// A compaction under way; it goes on whether or not anyone waits.
#[derive(Clone, Debug)]
pub struct CompactionHandle {}

impl CompactionHandle {
    /// Waits until everything is removed.
    pub async fn finished(&self) -> Result<(), BackendError> {
        unimplemented!()
    }

    /// As [`CompactionHandle::finished`], for a thread that may block.
    pub fn wait(&self) -> Result<(), BackendError> {
        unimplemented!()
    }
}
