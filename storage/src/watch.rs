//! Watching: one subscription to the changes of some keys, whatever protocol carries it.
//!
//! The apply thread publishes what it changed. Watchers that look at the same ranges in the same way form a
//! group: an event is matched once for each group, and the group's watchers share one [`Selection`] and its
//! encodings. A watcher that lags, or starts in the past, is fed from [`History`] by a thread of the hub and
//! joins its group when it has caught up. Nothing here waits for a client.

mod catch_up;
mod groups;
mod history;
mod hub;
mod message;
mod outbox;
mod publish;
mod range_index;
mod selection;
mod selector;
mod shared;
mod signal;
mod state;
mod stats;
mod stream;
#[cfg(test)]
mod tests;

pub use history::{History, HistoryError, HistoryPage, HistoryRead, RevisionEvents};
pub use hub::WatchHub;
pub use message::{CreateError, Created, EventFilters, WatchMessage, WatchSpec};
pub use selection::{Encoding, SelectedEvent, Selection};
pub use selector::Watched;
pub use shared::WatchOptions;
pub use stats::WatchStats;
pub use stream::WatchStream;
