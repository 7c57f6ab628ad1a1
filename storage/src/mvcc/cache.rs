//! Which values are in memory: as many as fit a bound, beginning with the newest and those that are read.
//!
//! The index has each key with its numbers for good, and the value of its newest version as long as there is room. Values are
//! evicted by the clock algorithm (second chance): a hand goes round over the leaves of the index and takes the values of which
//! nobody has read any since it passed last. Short ones stay, as what stands in for them would take as much.
//!
//! What was evicted is in the backend, like every older version, and is read from there. Only a value that is read twice by its
//! key, while the hand goes round once, comes back: lists, snapshots and watchers pass by without taking the place of others.
//!
//! Who makes the index larger gives back as much, a bounded piece at a time: the writer with its commit, a reader that has a
//! value back, the start as it goes. So memory is over the bound by what one commit brings, at worst by a round of the hand
//! if everything has been read since.

use parking_lot::RwLockWriteGuard;

use super::MvccError;
use super::index::Index;
use super::key_state::Version;
use super::state::State;
use crate::Record;
use crate::backend::RowKey;

impl State {
    /// Evicts what is over the bound, and unlocks the index.
    pub(super) fn evict(&self, mut index: RwLockWriteGuard<'_, Index>) {
        let mut evicted = Vec::new();
        index.evict_down_to(self.value_bytes, &mut evicted);
        if !evicted.is_empty() {
            self.note_eviction();
        }
        // Freeing values takes its time: not with the lock.
        drop(index);
        drop(evicted);
    }

    /// The version that a read of one key found.
    pub(super) fn load_single(&self, version: Version, revision: i64) -> Result<Record, MvccError> {
        let Version::Evicted(_, row) = version else { return self.load(version, revision) };
        let record = self.load(version, revision)?;
        // Whoever is in the way has something better to do, and so has this read than to wait.
        if let Some(mut index) = self.index.try_write() {
            index.restore_if_used(row, &record);
            self.evict(index);
        }
        Ok(record)
    }

    /// A row of history that is there.
    pub(super) fn stored(&self, row: RowKey, revision: i64) -> Result<Record, MvccError> {
        match self.edition.record(row)? {
            Some(record) => Ok(record),
            None if self.compacted() > revision => Err(MvccError::Compacted),
            None => Err(self.edition.corrupt(format!("the row {row:?} is missing")).into()),
        }
    }
}
