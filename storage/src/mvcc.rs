//! The multi-version store: every change is a revision, and every revision can be read until it is compacted.
//!
//! Rows of history are in the backend. In memory is an index of all keys with the revisions of their rows, and the
//! newest version of every live key. There is one writer at a time; it publishes a transaction with one short lock
//! of the index, so readers see all of it or nothing. A reader holds the lock for some keys at a time and reads at
//! a fixed revision, so a long list neither holds up the writer nor sees changes.

mod compaction;
mod hash;
mod history;
mod index;
mod key_state;
#[cfg(test)]
mod model_tests;
mod open;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use thiserror::Error;

use self::compaction::Queue;
use self::hash::CompactionHashes;
use self::index::Index;
use self::key_state::KeyState;
use crate::backend::{Backend, BackendError};
use crate::watch::{History, HistoryError, HistoryPage, HistoryRead};
use crate::{Event, KeyRange, Record};

pub use compaction::CompactionHandle;
pub use write::WriteTxn;

/// The revision of an empty store; the first change makes the next one.
const FIRST_REVISION: i64 = 1;

/// The compacted revision of a store without a compaction.
const NEVER_COMPACTED: i64 = -1;

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
    /// How many rows one step of a compaction looks at.
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
    /// Return the count and no records; the limit does not matter then.
    pub count_only: bool,
}

#[derive(Clone, Debug, Default)]
pub struct RangeResult {
    /// In the order of the keys.
    pub records: Vec<Record>,
    /// All keys of the range at that revision, whatever the limit.
    pub count: i64,
    /// The store's current revision when it was read; inside a transaction, its own.
    pub revision: i64,
}

/// A hash over history, and what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashKv {
    pub hash: u32,
    /// -1: nothing was compacted.
    pub compact_revision: i64,
    pub hash_revision: i64,
    pub current_revision: i64,
}

/// What a committed transaction did.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The store's revision now.
    pub revision: i64,
    /// In the order of execution; empty if nothing changed.
    pub events: Vec<Event>,
}

/// The keys of one member. All methods may be called from any thread; one thread at a time writes.
#[derive(Debug)]
pub struct Store {
    inner: Arc<Inner>,
    compactor: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Inner {
    backend: Arc<Backend>,
    options: StoreOptions,
    index: RwLock<Index>,
    /// Written with the index locked.
    revision: AtomicI64,
    compacted: AtomicI64,
    writer: Mutex<()>,
    queue: Queue,
    hashes: CompactionHashes,
    /// Whether a row that was there at the start names a lease.
    leased: bool,
}

impl Store {
    /// Reads the backend, and resumes a compaction that was interrupted.
    ///
    /// # Errors
    /// When the backend cannot be read or holds something else.
    pub fn open(backend: Arc<Backend>, options: StoreOptions) -> Result<Store, BackendError> {
        let opened = open::open(&backend)?;
        let inner = Arc::new(Inner {
            options,
            index: RwLock::new(opened.index),
            revision: AtomicI64::new(opened.revision),
            compacted: AtomicI64::new(opened.scheduled.unwrap_or(opened.finished)),
            writer: Mutex::new(()),
            queue: Queue::default(),
            hashes: CompactionHashes::default(),
            leased: opened.leased,
            backend,
        });
        if let Some(revision) = opened.scheduled {
            inner.queue.push(revision, opened.finished, false);
        }
        let compactor = thread::Builder::new().name("compaction".into()).spawn({
            let inner = Arc::clone(&inner);
            move || inner.run_compactions()
        });
        let compactor = compactor.map_err(|error| BackendError::io(inner.backend.path(), error))?;
        Ok(Store { inner, compactor: Mutex::new(Some(compactor)) })
    }

    /// The current revision; 1 when nothing was ever written.
    pub fn revision(&self) -> i64 {
        self.inner.revision()
    }

    /// The compacted revision; -1 when nothing was ever compacted.
    pub fn compacted(&self) -> i64 {
        self.inner.compacted()
    }

    /// How many keys are alive.
    pub fn key_count(&self) -> usize {
        self.inner.index.read().live()
    }

    /// The newest version of a key.
    pub fn get(&self, key: &[u8]) -> Option<Record> {
        self.inner.newest(key)
    }

    /// Reads keys as they are, or were at a revision.
    ///
    /// # Errors
    /// When that revision is compacted or in the future, or cannot be read.
    pub fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError> {
        self.inner.range(range, options)
    }

    /// Begins to change keys; waits for any other writer.
    pub fn write(&self) -> WriteTxn<'_> {
        self.inner.write()
    }

    /// Forgets what was before a revision: reads below it are refused from now on, the rows go bit by bit.
    ///
    /// # Errors
    /// When the revision is in the future, or compacted already.
    pub fn compact(&self, revision: i64) -> Result<CompactionHandle, MvccError> {
        self.inner.compact(revision)
    }

    /// The compaction that was begun last, if any since the start.
    pub fn last_compaction(&self) -> Option<CompactionHandle> {
        self.inner.queue.latest()
    }

    /// Hashes history up to a revision (0: the current one) as etcd does. Reads all of it: not for a thread that
    /// others wait for.
    ///
    /// # Errors
    /// When the revision is in the future, or compacted and none of the ten newest compactions was at it.
    pub fn hash_kv(&self, revision: i64) -> Result<HashKv, MvccError> {
        self.inner.hash_kv(revision)
    }

    /// Calls `each(lease, key)` for every live key that is attached to a lease. Meant for the start.
    pub fn keys_attached(&self, each: &mut dyn FnMut(i64, &[u8])) {
        self.inner.keys_attached(each);
    }
}

impl Drop for Store {
    /// A compaction that is not finished goes on after the next start.
    fn drop(&mut self) {
        self.inner.queue.stop();
        if let Some(compactor) = self.compactor.lock().take() {
            // It says nothing that the log has not said.
            let _ = compactor.join();
        }
    }
}

impl History for Store {
    fn revision(&self) -> i64 {
        Store::revision(self)
    }

    fn compacted(&self) -> i64 {
        Store::compacted(self)
    }

    fn events(&self, read: HistoryRead) -> Result<HistoryPage, HistoryError> {
        self.inner.events(read)
    }
}

impl Inner {
    fn revision(&self) -> i64 {
        self.revision.load(Ordering::Acquire)
    }

    fn compacted(&self) -> i64 {
        self.compacted.load(Ordering::Acquire)
    }

    fn set_compacted(&self, revision: i64) {
        self.compacted.store(revision, Ordering::Release);
    }

    fn keys_attached(&self, each: &mut dyn FnMut(i64, &[u8])) {
        if !self.leased {
            return;
        }
        let index = self.index.read();
        for record in index.iter(Bound::Unbounded, None).filter_map(KeyState::newest) {
            let lease = record.lease();
            if lease != 0 {
                each(lease, record.key());
            }
        }
    }
}
