//! The multi-version store: every change is a revision, and every revision can be read until it is compacted.
//!
//! Rows of history are in the backend. In memory is an index of all keys with the revisions of their rows, and the
//! newest version of every live key; its value, too, as long as there is room (`cache`). There is one writer at a time; it publishes a transaction with one short lock
//! of the index, so readers see all of it or nothing. A reader holds the lock for some keys at a time and reads at
//! a fixed revision, so a long list neither holds up the writer nor sees changes.
//!
//! Index, revisions and the edition of the backend that they belong to are one state. When another database has
//! been installed, [`Store::reload`] builds the next state and puts it in the place of the last one in one step. A
//! reader stays with the state that it began with, whose rows its edition keeps.

mod cache;
mod compaction;
mod hash;
mod history;
mod index;
mod key_state;
#[cfg(test)]
mod model_tests;
mod open;
mod past;
mod read;
mod state;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use thiserror::Error;

use self::compaction::{Job, Queue};
use self::hash::CompactionHashes;
use self::open::Unfinished;
use self::state::State;
use crate::backend::{Backend, BackendError, RowKey, Rows};
use crate::watch::{History, HistoryError, HistoryPage, HistoryRead};
use crate::{KeyRange, Outline, Record, ThreadPanic};

pub use compaction::{CompactionHandle, CompactionStep};
pub use past::Past;
pub use read::{GoesOn, Pace};
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
    /// By the reader itself, see [`Store::range_while`].
    #[error("the read was given up")]
    Interrupted,
    #[error(transparent)]
    Backend(#[from] BackendError),
}

#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// How many rows one step of a compaction looks at.
    pub compaction_batch_limit: usize,
    /// The pause between two steps.
    pub compaction_pause: Duration,
    /// How much of memory values may take, in bytes. What is over that is read from the backend when it is wanted.
    pub value_bytes: usize,
    /// Told what compactions do, on their thread.
    pub on_compaction: Option<CompactionObserver>,
}

/// A function that is told each step of a compaction.
#[derive(Clone)]
pub struct CompactionObserver(pub Arc<dyn Fn(CompactionStep) + Send + Sync>);

impl fmt::Debug for CompactionObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CompactionObserver")
    }
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            compaction_batch_limit: 1000,
            compaction_pause: Duration::from_millis(10),
            value_bytes: usize::MAX,
            on_compaction: None,
        }
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
    /// Values are of no interest: the records may be outlines, without them.
    pub valueless: bool,
    /// The count is of no interest: what lies behind the limit need not be looked at. The result's count means nothing then.
    pub uncounted: bool,
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
    /// Replaced by [`Store::reload`] alone, with the writer's lock.
    state: ArcSwap<State>,
    writer: Mutex<()>,
    queue: Queue,
    hashes: CompactionHashes,
    /// Why no compaction is carried out any more.
    panicked: OnceLock<ThreadPanic>,
}

impl Store {
    /// Reads the backend, and resumes a compaction that was interrupted.
    ///
    /// # Errors
    /// When the backend cannot be read or holds something else.
    pub fn open(backend: Arc<Backend>, options: StoreOptions) -> Result<Store, BackendError> {
        let (state, unfinished) = State::open(backend.edition(), options.value_bytes)?;
        let inner = Arc::new(Inner {
            backend,
            options,
            state: ArcSwap::from_pointee(state),
            writer: Mutex::new(()),
            queue: Queue::default(),
            hashes: CompactionHashes::default(),
            panicked: OnceLock::new(),
        });
        inner.resume(unfinished);
        let compactor = thread::Builder::new().name("compaction".into()).spawn({
            let inner = Arc::clone(&inner);
            move || inner.run_compactions()
        });
        let compactor = compactor.map_err(|error| BackendError::io(inner.backend.path(), error))?;
        Ok(Store { inner, compactor: Mutex::new(Some(compactor)) })
    }

    /// Takes over what the backend holds since [`Backend::install`]; nothing happens if nothing was installed.
    ///
    /// Everything is read and put in order beside what is there, which readers use meanwhile; so for this long both
    /// are in memory. Whoever asks afterwards is answered by the new database alone. A compaction that goes on is
    /// given up (whoever waits for it is told that it is done, as its rows are gone with their database), and one that
    /// the new database has not finished begins.
    ///
    /// Not while a [`WriteTxn`] is alive on this thread. Afterwards leases and alarms are to be recovered, and the
    /// watch hub is to be told: [`crate::watch::WatchHub::resync`].
    ///
    /// # Errors
    /// When the new database cannot be read or holds something else; the store is as it was then, over a database
    /// that is not there any more.
    pub fn reload(&self) -> Result<(), BackendError> {
        self.inner.reload()
    }

    /// Whether [`Store::open`] and [`Store::reload`] could take over what is there, history apart.
    ///
    /// # Errors
    /// As with those.
    pub fn check(rows: &impl Rows) -> Result<(), BackendError> {
        open::compactions(rows).map(drop)
    }

    /// What [`Store::hash_kv`] would answer over the rows of a file that nobody has open. The names of their keys are in memory
    /// meanwhile.
    ///
    /// # Errors
    /// As with that; when a row is not one of history.
    pub fn hash_of(rows: &impl Rows, revision: i64) -> Result<HashKv, MvccError> {
        hash::closed::hash(rows, revision)
    }

    /// The current revision; 1 when nothing was ever written.
    pub fn revision(&self) -> i64 {
        self.inner.state.load().revision()
    }

    /// The compacted revision; -1 when nothing was ever compacted.
    pub fn compacted(&self) -> i64 {
        self.inner.state.load().compacted()
    }

    /// How many keys are alive.
    pub fn key_count(&self) -> usize {
        self.inner.state.load().index.read().live()
    }

    /// How much of memory values take, in bytes; short ones, which are always there, are not counted.
    pub fn value_bytes(&self) -> usize {
        self.inner.state.load().index.read().evictable()
    }

    /// Whether the value of some key may be on the disk alone.
    pub fn has_evicted(&self) -> bool {
        self.inner.state.load().has_evicted()
    }

    /// The newest version of a key.
    ///
    /// # Errors
    /// When its value is not in memory and cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Record>, MvccError> {
        self.inner.state.load().newest(key)
    }

    /// What of the newest version of a key is always in memory.
    pub fn outline(&self, key: &[u8]) -> Option<Outline> {
        self.inner.state.load().outline(key)
    }

    /// Reads keys as they are, or were at a revision.
    ///
    /// # Errors
    /// When that revision is compacted or in the future, or cannot be read.
    pub fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError> {
        self.inner.state.load().range(range, options)
    }

    /// As [`Store::range`], for as long as `goes_on` says so: it is asked again and again, and between two times no more is
    /// done than what takes some tenths of a millisecond.
    ///
    /// # Errors
    /// The same; `Interrupted` once it does not go on.
    pub fn range_while(
        &self,
        range: &KeyRange,
        options: RangeOptions,
        goes_on: &mut GoesOn<'_>,
    ) -> Result<RangeResult, MvccError> {
        self.inner.state.load().range_while(range, options, goes_on)
    }

    /// What a key was before a revision (0: to this day), the newest first: `limit` versions at most, and no more once those have
    /// `max_bytes`.
    ///
    /// # Errors
    /// When the backend cannot be read.
    pub fn past(&self, key: &[u8], before: i64, limit: usize, max_bytes: usize) -> Result<Past, MvccError> {
        self.inner.state.load().past(key, before, limit, max_bytes)
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

    /// A panic of the compaction thread, if there was one: what it was removing is still there.
    pub fn failure(&self) -> Option<ThreadPanic> {
        self.inner.panicked.get().cloned()
    }

    /// Hashes history up to a revision (0: the current one) as etcd does. Reads all of it: not for a thread that
    /// others wait for.
    ///
    /// # Errors
    /// When the revision is in the future, or compacted and none of the ten newest compactions was at it.
    pub fn hash_kv(&self, revision: i64) -> Result<HashKv, MvccError> {
        self.inner.hash_kv(revision)
    }

    /// The hashes of the ten newest compactions since the start, newest last; [`Store::hash_kv`] answers from them. A
    /// compaction that took over from an interrupted one, or that several requests share, has none.
    pub fn compaction_hashes(&self) -> Vec<HashKv> {
        self.inner.hashes.all()
    }

    /// Calls `each(lease, key)` for every live key that is attached to a lease. Meant for the start.
    pub fn keys_attached(&self, each: &mut dyn FnMut(i64, &[u8])) {
        self.inner.state.load().keys_attached(each);
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
        self.inner.state.load_full().events(read)
    }

    fn record(&self, row: RowKey) -> Result<Option<Record>, HistoryError> {
        self.inner.state.load_full().record(row)
    }
}

impl Inner {
    /// Begins to finish a compaction that a state was opened with.
    fn resume(&self, unfinished: Option<Unfinished>) {
        let state = self.state.load_full();
        self.queue.restart(unfinished.map(|unfinished| Job::resumed(state, unfinished)));
    }

    fn reload(&self) -> Result<(), BackendError> {
        let _writer = self.writer.lock();
        let edition = self.backend.edition();
        if edition.is_same(&self.state.load().edition) {
            return Ok(());
        }
        let (state, unfinished) = State::open(edition, self.options.value_bytes)?;
        let old = self.state.swap(Arc::new(state));
        self.resume(unfinished);
        drop(old);
        Ok(())
    }
}
