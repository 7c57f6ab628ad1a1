//! Reading a store from its backend.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::index::Index;
use super::{FIRST_REVISION, NEVER_COMPACTED};
use crate::Record;
use crate::backend::{Backend, BackendError, Bucket, RowKey};
use crate::schema::{FINISHED_COMPACT_REVISION, SCHEDULED_COMPACT_REVISION};

/// What the rows of a backend amount to.
pub(super) struct Opened {
    pub(super) index: Index,
    pub(super) revision: i64,
    pub(super) finished: i64,
    /// A compaction that was asked for and not finished.
    pub(super) scheduled: Option<i64>,
    /// Whether any row names a lease.
    pub(super) leased: bool,
}

pub(super) fn open(backend: &Arc<Backend>) -> Result<Opened, BackendError> {
    let finished = compaction_row(backend, FINISHED_COMPACT_REVISION)?;
    let scheduled = compaction_row(backend, SCHEDULED_COMPACT_REVISION)?.filter(|revision| Some(*revision) > finished);
    let mut index = Index::new();
    let mut highest = 0;
    let mut leased = false;
    let mut wrong = None;
    backend.history().scan(RowKey::new(0, 0), RowKey::tombstone(i64::MAX, u32::MAX), &mut |row, _, value| {
        let Ok(record) = Record::decode(value) else {
            wrong = Some(row);
            return ControlFlow::Break(());
        };
        highest = row.main;
        leased |= record.lease() != 0;
        index.push(row, record);
        ControlFlow::Continue(())
    })?;
    if let Some(row) = wrong {
        return Err(backend.corrupt(format!("the row {row:?} is not an encoded KeyValue")));
    }
    let revision = [highest, finished.unwrap_or(0), scheduled.unwrap_or(0), FIRST_REVISION].into_iter().max();
    Ok(Opened {
        index,
        revision: revision.unwrap_or(FIRST_REVISION),
        finished: finished.unwrap_or(NEVER_COMPACTED),
        scheduled,
        leased,
    })
}

fn compaction_row(backend: &Backend, name: &[u8]) -> Result<Option<i64>, BackendError> {
    let Some(bytes) = backend.get(Bucket::Meta, name)? else { return Ok(None) };
    match RowKey::decode(&bytes) {
        Some(row) => Ok(Some(row.main)),
        None => Err(backend.corrupt(format!("{} is {bytes:02x?}", String::from_utf8_lossy(name)))),
    }
}
