//! The store as it was at one revision, for transactions that only read.

use keyport_storage::KeyRange;
use keyport_storage::mvcc::{MvccError, RangeOptions, RangeResult, Store};

use crate::kv::range::View;

/// Reads "now" as one fixed revision, so that several reads fit together while writes go on.
#[derive(Debug)]
pub(super) struct SnapshotView<'a> {
    store: &'a Store,
    revision: i64,
    compacted: i64,
}

impl<'a> SnapshotView<'a> {
    pub(super) fn now(store: &'a Store) -> SnapshotView<'a> {
        SnapshotView { store, revision: store.revision(), compacted: store.compacted() }
    }

    pub(super) fn revision(&self) -> i64 {
        self.revision
    }
}

impl View for SnapshotView<'_> {
    fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError> {
        let revision = if options.revision <= 0 { self.revision } else { options.revision };
        let found = self.store.range(range, RangeOptions { revision, ..options })?;
        Ok(RangeResult { revision: self.revision, ..found })
    }

    fn start_revision(&self) -> i64 {
        self.revision
    }

    fn compacted(&self) -> i64 {
        self.compacted
    }
}
