//! HashKV of a database that no store has open: from its rows alone, in two passes. In between the names of the keys that are
//! there at the revision are in memory.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::KvHasher;
use crate::Record;
use crate::backend::{BackendError, Bucket, RowKey, Rows};
use crate::mvcc::{FIRST_REVISION, HashKv, MvccError, NEVER_COMPACTED, open};

/// The hash at a revision, 0 for the last one: what a store that opens these rows would answer.
pub(in crate::mvcc) fn hash(rows: &impl Rows, requested: i64) -> Result<HashKv, MvccError> {
    let (scheduled, finished) = open::compactions(rows)?;
    let compacted = scheduled.or(finished).unwrap_or(NEVER_COMPACTED);
    if requested > 0 && requested < compacted {
        return Err(MvccError::Compacted);
    }
    let (mut newest, mut highest) = (HashMap::new(), FIRST_REVISION.max(compacted));
    each(rows, |row, _, value| {
        highest = highest.max(row.main);
        if requested > 0 && row.main > requested {
            return Ok(());
        }
        let record = Record::decode(value).map_err(|_| corrupt(rows, row))?;
        if row.tombstone {
            newest.remove(record.key());
        } else if let Some(place) = newest.get_mut(record.key()) {
            *place = row;
        } else {
            newest.insert(record.key().to_vec(), row);
        }
        Ok(())
    })?;
    if requested > highest {
        return Err(MvccError::FutureRevision);
    }
    let revision = if requested > 0 { requested } else { highest };
    let mut kept: Vec<RowKey> = newest.values().copied().filter(|row| row.main <= compacted).collect();
    kept.sort_unstable();
    let mut hasher = KvHasher::new(compacted, revision, !newest.is_empty());
    each(rows, |row, key, value| {
        hasher.add(row, key, value, row.main <= compacted && kept.binary_search(&row).is_ok());
        Ok(())
    })?;
    let hash = hasher.finish();
    Ok(HashKv { hash, compact_revision: compacted, hash_revision: revision, current_revision: highest })
}

fn each(
    rows: &impl Rows,
    mut tell: impl FnMut(RowKey, &[u8], &[u8]) -> Result<(), BackendError>,
) -> Result<(), BackendError> {
    let mut outcome = Ok(());
    rows.each_row(Bucket::Key, &mut |key, value| {
        outcome = match RowKey::decode(key) {
            Some(row) => tell(row, key, value),
            None => Err(BackendError::corrupt(rows.path(), format!("the row {key:02x?} is none of history"))),
        };
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}

fn corrupt(rows: &impl Rows, row: RowKey) -> BackendError {
    BackendError::corrupt(rows.path(), format!("the row {row:?} is not an encoded KeyValue"))
}
