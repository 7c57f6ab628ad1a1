//! A look into a file that no backend has open.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use redb::{ReadOnlyDatabase, ReadTransaction, ReadableDatabase};

use super::table::Table;
use super::{Applied, BackendError, Bucket, EachRow, Rows, guarded, schema};

/// What was committed to it; nothing is written to it.
pub struct ClosedFile {
    path: PathBuf,
    applied: Applied,
    transaction: ReadTransaction,
    // Below the transaction: the file is closed with it.
    _database: Box<dyn Send + Sync>,
}

impl ClosedFile {
    /// One that an [`super::ImageWriter`] has finished, as it is.
    ///
    /// # Errors
    /// When the file is in use, cannot be read, or is none of ours.
    pub fn open(path: &Path) -> Result<ClosedFile, BackendError> {
        guarded(path, || {
            let failed = |error: redb::Error| BackendError::from_redb(path, error);
            let database = ReadOnlyDatabase::open(path).map_err(|error| failed(error.into()))?;
            ClosedFile::of(path, database)
        })
    }

    /// What such a database has, which is closed with this.
    pub(super) fn of(
        path: &Path,
        database: impl ReadableDatabase + Send + Sync + 'static,
    ) -> Result<ClosedFile, BackendError> {
        let applied = schema::check(path, &database)?.applied;
        let transaction = database.begin_read().map_err(|error| BackendError::from_redb(path, error))?;
        Ok(ClosedFile { path: path.to_path_buf(), applied, transaction, _database: Box::new(database) })
    }

    /// The last log entry that is in it.
    pub fn applied(&self) -> Applied {
        self.applied
    }
}

impl Rows for ClosedFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn row(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        guarded(&self.path, || {
            let failed = |error: redb::Error| BackendError::from_redb(&self.path, error);
            let rows = Table::open(&self.transaction, bucket).map_err(|error| failed(error.into()))?;
            let row = rows.get(key).map_err(|error| failed(error.into()))?;
            Ok(row.map(|row| Bytes::copy_from_slice(row.value())))
        })
    }

    fn each_row(&self, bucket: Bucket, each: &mut EachRow<'_>) -> Result<(), BackendError> {
        guarded(&self.path, || {
            let failed = |error: redb::Error| BackendError::from_redb(&self.path, error);
            let rows = Table::open(&self.transaction, bucket).map_err(|error| failed(error.into()))?;
            for row in rows.iter().map_err(|error| failed(error.into()))? {
                let (key, value) = row.map_err(|error| failed(error.into()))?;
                if each(key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}

impl std::fmt::Debug for ClosedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClosedFile").field("path", &self.path).finish_non_exhaustive()
    }
}
