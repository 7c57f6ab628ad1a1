//! A dense copy of the whole database, for defragmentation and for snapshots.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use redb::{Database, Durability};

use super::flusher::row_bytes;
use super::storage::Files;
use super::view::View;
use super::{BackendError, Bucket};
use crate::schema::{self, table};

/// How many rows one transaction copies, which bounds the pages in memory.
const ROWS_PER_TRANSACTION: usize = 16 * 1024;

/// Returns the new database, durable under the path, and the bytes its rows take.
pub(super) fn to_file(files: &Files, view: &View, path: &Path) -> Result<(Arc<Database>, u64), BackendError> {
    let database = files.create(path)?;
    let copied = || -> Result<u64, redb::Error> {
        let mut used = 0;
        schema::create(&database)?;
        for bucket in Bucket::ALL {
            let mut after: Option<Vec<u8>> = None;
            loop {
                let (next, bytes) = copy_rows(&database, view, bucket, after.as_deref())?;
                used += bytes;
                after = next;
                if after.is_none() {
                    break;
                }
            }
        }
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        schema::put_used(&transaction, used)?;
        transaction.commit()?;
        Ok(used)
    };
    let used = copied().map_err(|error| BackendError::from_redb(path, error))?;
    Ok((Arc::new(database), used))
}

/// Copies some rows behind the given one; returns the last of them, if there may be more, and their size.
fn copy_rows(
    database: &Database,
    view: &View,
    bucket: Bucket,
    after: Option<&[u8]>,
) -> Result<(Option<Vec<u8>>, u64), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::None)?;
    let (mut last, mut used) = (None, 0);
    {
        let mut to = transaction.open_table(table(bucket))?;
        let mut end = to.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = view.table(bucket).range::<&[u8]>((from, Bound::Unbounded))?;
        for (at, row) in rows.enumerate() {
            let (key, value) = row?;
            let (key, value) = (key.value(), value.value());
            end.insert_before(key, value)?;
            used += row_bytes(key, value);
            if at + 1 == ROWS_PER_TRANSACTION {
                last = Some(key.to_vec());
                break;
            }
        }
        end.close()?;
    }
    transaction.commit()?;
    Ok((last, used))
}
