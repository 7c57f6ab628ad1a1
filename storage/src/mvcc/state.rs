//! The store over one edition of the backend.

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::RwLock;

use super::index::Index;
use super::key_state::KeyState;
use super::open::{self, Opened, Unfinished};
use crate::backend::{BackendError, Edition};

#[derive(Debug)]
pub(super) struct State {
    pub(super) edition: Edition,
    pub(super) index: RwLock<Index>,
    /// Written with the index locked.
    revision: AtomicI64,
    compacted: AtomicI64,
    /// How much the values in memory may take, in bytes.
    pub(super) value_bytes: usize,
    /// Whether some value may be on the disk alone.
    evicted: AtomicBool,
    /// Whether a row that was there at the start names a lease.
    leased: bool,
}

impl State {
    /// Reads everything; says also which compaction was asked for and is not finished.
    pub(super) fn open(edition: Edition, value_bytes: usize) -> Result<(State, Option<Unfinished>), BackendError> {
        let Opened { index, revision, compacted, unfinished, leased, evicted } = open::open(&edition, value_bytes)?;
        let evicted = AtomicBool::new(evicted);
        let (revision, compacted) = (AtomicI64::new(revision), AtomicI64::new(compacted));
        Ok((
            State { edition, index: RwLock::new(index), revision, compacted, value_bytes, evicted, leased },
            unfinished,
        ))
    }

    pub(super) fn has_evicted(&self) -> bool {
        self.evicted.load(Ordering::Relaxed)
    }

    pub(super) fn note_eviction(&self) {
        self.evicted.store(true, Ordering::Relaxed);
    }

    pub(super) fn revision(&self) -> i64 {
        self.revision.load(Ordering::Acquire)
    }

    pub(super) fn set_revision(&self, revision: i64) {
        self.revision.store(revision, Ordering::Release);
    }

    pub(super) fn compacted(&self) -> i64 {
        self.compacted.load(Ordering::Acquire)
    }

    pub(super) fn set_compacted(&self, revision: i64) {
        self.compacted.store(revision, Ordering::Release);
    }

    pub(super) fn keys_attached(&self, each: &mut dyn FnMut(i64, &[u8])) {
        if !self.leased {
            return;
        }
        let index = self.index.read();
        for record in index.iter(Bound::Unbounded, None).filter_map(KeyState::outline) {
            let lease = record.lease();
            if lease != 0 {
                each(lease, record.key());
            }
        }
    }
}
