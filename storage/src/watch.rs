//! Watching: one subscription to the changes of some keys, whatever protocol carries it.
//!
//! The apply thread publishes what it changed. Watchers that look at the same ranges in the same way form a
//! group: an event is matched once for each group, and the group's watchers share one [`Selection`] and its
//! encodings. A watcher that lags, or starts in the past, is fed from [`History`] by a thread of the hub and
//! joins its group when it has caught up. Nothing here waits for a client.

mod history;
mod message;
mod selection;

pub use history::{History, HistoryError, HistoryPage, HistoryRead, RevisionEvents};
pub use message::{CreateError, Created, EventFilters, WatchMessage, WatchSpec};
pub use selection::{Encoding, SelectedEvent, Selection};
