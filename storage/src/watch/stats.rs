//! Counts for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// A moment's counts of a hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchStats {
    pub streams: u64,
    pub watchers: u64,
    /// Watchers that are fed from history, or wait for room on their stream.
    pub slow_watchers: u64,
    /// Events handed to readers since the start, once for each watcher.
    pub events_sent: u64,
    /// Events queued for readers.
    pub pending_events: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) streams: Count,
    pub(super) watchers: Count,
    pub(super) slow_watchers: Count,
    pub(super) events_sent: Count,
    pub(super) pending_events: Count,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, n: usize) {
        self.0.fetch_sub(n as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn stats(&self) -> WatchStats {
        WatchStats {
            streams: self.streams.get(),
            watchers: self.watchers.get(),
            slow_watchers: self.slow_watchers.get(),
            events_sent: self.events_sent.get(),
            pending_events: self.pending_events.get(),
        }
    }
}
