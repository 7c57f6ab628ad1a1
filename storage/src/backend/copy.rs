//! A dense copy of the whole database, for defragmentation and for snapshots.

use std::path::Path;

use redb::Database;

use super::loader::Loader;
use super::storage::Files;
use super::view::View;
use super::{BackendError, Bucket};

/// Returns the new database, durable under the path, and the bytes its rows take. It will take about `needed` bytes of the
/// disk, and ends early when it is not wanted any more.
pub(super) fn to_file(
    files: &Files,
    view: &View,
    path: &Path,
    needed: u64,
    is_wanted: &dyn Fn() -> bool,
) -> Result<(Database, u64), BackendError> {
    let failed = |error| BackendError::from_redb(path, error);
    files.check_room(path, needed)?;
    let mut loader = Loader::create(files, path)?;
    for bucket in Bucket::ALL {
        let mut rows = view.table(bucket).range::<&[u8]>(..).map_err(failed)?;
        let mut more = true;
        while more {
            if !is_wanted() {
                return Err(BackendError::Unwanted);
            }
            files.check_room(path, 0)?;
            more = loader.append(bucket, |tail| {
                while !tail.is_full() {
                    let Some(row) = rows.next() else { return Ok(false) };
                    let (key, value) = row.map_err(failed)?;
                    tail.push(key.value(), value.value())?;
                }
                Ok(true)
            })?;
        }
    }
    loader.finish()
}
