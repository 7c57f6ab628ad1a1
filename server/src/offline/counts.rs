//! What there is how much of, as `keyport check` tells it.

use std::ops::ControlFlow;

use keyport_raft::wal::{Item, Metadata};
use keyport_storage::Record;
use keyport_storage::backend::{BackendError, Bucket, RowKey, Rows};

use super::database::Database;
use crate::command_line::Progress;

/// How many rows are between two looks at the clock.
pub(super) const ROWS: u64 = 1024;

/// What a log has, by its records.
#[derive(Default)]
pub(super) struct Log {
    pub(super) entries: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) term: u64,
    pub(super) commit: u64,
    pub(super) metadata: Option<Metadata>,
}

impl Log {
    pub(super) fn add(&mut self, item: Item<'_>) {
        match item {
            Item::Entry(entry) => {
                if self.entries == 0 {
                    self.first = entry.index();
                }
                self.entries += 1;
                self.last = entry.index();
            }
            Item::State(state) => (self.term, self.commit) = (state.term(), state.commit()),
            Item::Metadata(metadata) => self.metadata = Some(metadata),
            Item::Segment(_) | Item::Snapshot(_) => {}
        }
    }
}

/// What history has.
pub(super) struct History {
    pub(super) versions: u64,
    pub(super) deletions: u64,
    pub(super) revision: i64,
}

/// Goes through all of it.
///
/// # Errors
/// When it cannot be read, or a row is none of history.
pub(super) fn history(database: &Database) -> Result<History, BackendError> {
    let mut found = History { versions: 0, deletions: 0, revision: 1 };
    let mut bad = None;
    let mut progress = Progress::new();
    database.each_row(Bucket::Key, &mut |key, value| {
        let read = RowKey::decode(key).zip(Record::decode(value).ok());
        // A deletion's record has the key alone.
        let is_its_own = |row: &RowKey, record: &Record| row.tombstone || record.versions().mod_revision == row.main;
        let Some((row, _)) = read.filter(|(row, record)| is_its_own(row, record)) else {
            bad = Some(database.corrupt(&format!("the row {key:02x?} of bucket \"key\" is none of history")));
            return ControlFlow::Break(());
        };
        found.revision = row.main;
        *(if row.tombstone { &mut found.deletions } else { &mut found.versions }) += 1;
        if (found.versions + found.deletions).is_multiple_of(ROWS) {
            progress.count("rows of history", found.versions + found.deletions);
        }
        ControlFlow::Continue(())
    })?;
    bad.map_or(Ok(found), Err)
}

/// The rows of a bucket.
///
/// # Errors
/// When it cannot be read.
pub(super) fn count(database: &Database, bucket: Bucket) -> Result<u64, BackendError> {
    let mut count = 0;
    database.each_row(bucket, &mut |_, _| {
        count += 1;
        ControlFlow::Continue(())
    })?;
    Ok(count)
}
