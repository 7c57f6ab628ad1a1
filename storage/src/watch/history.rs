//! What the hub needs of the store.

use std::error::Error;

use thiserror::Error;

use crate::backend::RowKey;
use crate::{Event, Record};

/// Everything one revision changed, in the order of the changes (the sub-revisions).
#[derive(Clone, Debug, PartialEq)]
pub struct RevisionEvents {
    pub revision: i64,
    pub events: Vec<Event>,
    /// Events that lack their [`Event::prev_kv`] because it is not in memory: the place of each, and the row where it is. It is
    /// read once somebody wants it.
    pub stored_before: Vec<(usize, RowKey)>,
}

impl RevisionEvents {
    /// Events that lack nothing.
    pub fn new(revision: i64, events: Vec<Event>) -> RevisionEvents {
        RevisionEvents { revision, events, stored_before: Vec::new() }
    }
}

/// Which part of history to read.
#[derive(Clone, Copy, Debug)]
pub struct HistoryRead {
    /// The first revision wanted. The compacted revision itself may be asked for: what is left at it is returned,
    /// tombstones included.
    pub from: i64,
    /// Stop after this many distinct revisions.
    pub max_revisions: usize,
    /// Stop after the revision with which the encoded records, also those in [`Event::prev_kv`], pass this size.
    pub max_bytes: usize,
    /// Whether anyone wants [`Event::prev_kv`]; if not, it need not be looked up.
    pub prev_kv: bool,
}

/// Whole revisions, oldest first.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    pub revisions: Vec<RevisionEvents>,
    /// No event of a revision from the one asked for up to this one is missing in `revisions`. When no limit was
    /// met this is the store's revision at the time of reading (and `from - 1` when `from` is beyond it).
    pub through: i64,
}

#[derive(Debug, Error)]
pub enum HistoryError {
    /// The first revision asked for is below the compacted one.
    #[error("required revision has been compacted")]
    Compacted,
    #[error("cannot read history")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// The store, as far as watching goes.
///
/// The hub calls `revision`, `compacted` and `record` with its lock held: the first two must be cheap, and whoever publishes
/// must not hold a lock that they take.
pub trait History: Send + Sync + 'static {
    /// The current revision. It may run ahead of what was published.
    fn revision(&self) -> i64;

    /// The compacted revision, -1 if there was no compaction.
    fn compacted(&self) -> i64;

    /// Reads on from a revision.
    ///
    /// # Errors
    /// [`HistoryError::Compacted`] if `from` is below the compacted revision, also when a compaction overtakes the
    /// reading.
    fn events(&self, read: HistoryRead) -> Result<HistoryPage, HistoryError>;

    /// Reads one row; none if it was compacted.
    ///
    /// # Errors
    /// [`HistoryError::Failed`].
    fn record(&self, row: RowKey) -> Result<Option<Record>, HistoryError>;
}
