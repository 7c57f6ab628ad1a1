//! What a stream is asked, and what it says.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::Selection;
use crate::{EventKind, KeyRange, RangeEnd};

/// Kinds of events that a watcher does not want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventFilters {
    pub no_put: bool,
    pub no_delete: bool,
}

impl EventFilters {
    pub fn admits(self, kind: EventKind) -> bool {
        match kind {
            EventKind::Put => !self.no_put,
            EventKind::Delete => !self.no_delete,
        }
    }
}

/// One watcher.
#[derive(Clone, Debug)]
pub struct WatchSpec {
    /// The keys; several ranges make one watcher whose events come in one order, each event once.
    pub ranges: Vec<KeyRange>,
    /// The first revision wanted, 0 for the one after the current.
    pub start_revision: i64,
    /// 0 lets the stream choose.
    pub watch_id: i64,
    pub prev_kv: bool,
    pub filters: EventFilters,
    pub progress_notify: bool,
    /// Handed back with every message; see [`Selection::split`].
    pub fragment: bool,
}

impl WatchSpec {
    /// Everything that happens to a range from now on.
    pub fn new(range: KeyRange) -> WatchSpec {
        WatchSpec {
            ranges: vec![range],
            start_revision: 0,
            watch_id: 0,
            prev_kv: false,
            filters: EventFilters::default(),
            progress_notify: false,
            fragment: false,
        }
    }

    /// The range of a watch request's `key` and `range_end`, in which an empty key stands for the lowest key.
    pub fn request_range(key: Bytes, range_end: Bytes) -> KeyRange {
        let key = if key.is_empty() { Bytes::from_static(&[0]) } else { key };
        KeyRange::new(key, range_end)
    }

    pub(super) fn has_empty_range(&self) -> bool {
        self.ranges.is_empty()
            || self.ranges.iter().any(|range| matches!(&range.end, RangeEnd::Before(_)) && range.is_empty())
    }
}

/// What a successful creation said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    pub watch_id: i64,
    /// The store's revision at that moment.
    pub revision: i64,
}

/// Why a watcher was not created; the text is the `cancel_reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CreateError {
    #[error("mvcc: watcher range is empty")]
    EmptyRange,
    #[error("mvcc: duplicate watch ID provided on the WatchStream")]
    DuplicateId,
    #[error("etcdserver: mvcc: required revision has been compacted")]
    NegativeRevision,
}

/// One response of a stream. The revision is the one for the response header.
#[derive(Clone, Debug)]
pub enum WatchMessage {
    /// Precedes everything else about this watcher.
    Created { watch_id: i64, revision: i64 },
    /// `created` and `canceled` at once, with watch id -1 and the error's text.
    Refused { revision: i64, error: CreateError },
    /// Never empty. Holds whole revisions.
    Events { watch_id: i64, revision: i64, selection: Arc<Selection>, fragment: bool },
    /// With watch id -1 for the whole stream: everything up to the revision was said before.
    Progress { watch_id: i64, revision: i64 },
    /// The client cancelled.
    Canceled { watch_id: i64, revision: i64 },
    /// Compaction took what the watcher was to see next. The header's revision is 0; the id stays in use until the
    /// client cancels it.
    Compacted { watch_id: i64, compact_revision: i64 },
}
