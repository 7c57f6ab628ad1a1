//! Hooks for metrics; this crate keeps no registry of its own.

use std::time::Duration;

/// Told about what the node's thread does. Called on that thread, so it only adds to counters.
pub trait Observer: Send + 'static {
    /// The log was written (`bytes`, not synced yet).
    fn wal_written(&mut self, bytes: u64, took: Duration) {
        let _ = (bytes, took);
    }
    /// The log was synced.
    fn wal_synced(&mut self, took: Duration) {
        let _ = took;
    }
    /// Entries went to the log in one batch.
    fn entries_persisted(&mut self, entries: usize) {
        let _ = entries;
    }
    /// A snapshot record was written and older segments were released.
    fn snapshot_recorded(&mut self, index: u64) {
        let _ = index;
    }
    /// Proposals were given up.
    fn proposals_dropped(&mut self, count: usize) {
        let _ = count;
    }
    /// Entries of another member were not taken, because the state machine has no room for more.
    fn entries_refused(&mut self, from: u64) {
        let _ = from;
    }
    /// A ReadIndex round had to be repeated.
    fn read_index_retried(&mut self) {}
    /// This member leads and its heartbeats went out so much later than they should have.
    fn heartbeats_late(&mut self, by: Duration) {
        let _ = by;
    }
}

/// Ignores everything.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoObserver;

impl Observer for NoObserver {}
