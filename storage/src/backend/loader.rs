//! Filling a new database densely: rows in order, behind one another.

use std::path::{Path, PathBuf};

use redb::{CursorError, Database, Durability, WriteTransaction};

use super::layer::row_bytes;
use super::storage::Files;
use super::table::{End, WriteTable};
use super::write_back::WriteBack;
use super::{BackendError, Bucket, schema};

/// How much one transaction takes, which bounds the pages in memory.
const TRANSACTION_ROWS: usize = 16 * 1024;
const TRANSACTION_BYTES: u64 = 16 << 20;

/// A database that is being filled. Nothing of it is durable before [`Loader::finish`].
pub(super) struct Loader {
    path: PathBuf,
    // Above the database: it is given up before that is closed.
    transaction: Option<WriteTransaction>,
    database: Database,
    /// None where nothing is synced.
    write_back: Option<WriteBack>,
    rows: usize,
    bytes: u64,
    used: u64,
}

impl Loader {
    /// Begins with an empty database at that path.
    pub(super) fn create(files: &Files, path: &Path) -> Result<Loader, BackendError> {
        let database = files.create(path)?;
        schema::create(&database).map_err(|error| {
            // Nobody else has it open, and it holds nothing.
            let _ = std::fs::remove_file(path);
            BackendError::from_redb(path, error)
        })?;
        let write_back = (!files.options.unsafe_no_fsync).then(|| WriteBack::start(path)).transpose();
        let write_back = write_back.map_err(|error| BackendError::io(path, error))?;
        Ok(Loader { path: path.to_path_buf(), transaction: None, database, write_back, rows: 0, bytes: 0, used: 0 })
    }

    fn begin(&mut self) -> Result<WriteTransaction, BackendError> {
        if let Some(transaction) = self.transaction.take() {
            return Ok(transaction);
        }
        let failed = |error: redb::Error| BackendError::from_redb(&self.path, error);
        let mut transaction = self.database.begin_write().map_err(|error| failed(error.into()))?;
        transaction.set_durability(Durability::None).map_err(|error| failed(error.into()))?;
        Ok(transaction)
    }

    /// Lets `fill` add rows of a bucket, behind those that it has.
    pub(super) fn append<T>(
        &mut self,
        bucket: Bucket,
        fill: impl FnOnce(&mut Tail<'_>) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let transaction = self.begin()?;
        let failed = |error: redb::Error| BackendError::from_redb(&self.path, error);
        let filled = {
            let mut rows = WriteTable::open(&transaction, bucket).map_err(|error| failed(error.into()))?;
            let end = rows.end().map_err(|error| failed(error.into()))?;
            let (rows, bytes) = (&mut self.rows, &mut self.bytes);
            let mut tail = Tail { path: &self.path, end, rows, bytes };
            let filled = fill(&mut tail)?;
            tail.end.close().map_err(|error| failed(error.into()))?;
            filled
        };
        if is_full(self.rows, self.bytes) {
            self.used += self.bytes;
            (self.rows, self.bytes) = (0, 0);
            transaction.commit().map_err(|error| failed(error.into()))?;
            if let Some(write_back) = &self.write_back {
                write_back.more();
            }
        } else {
            self.transaction = Some(transaction);
        }
        Ok(filled)
    }

    /// Puts a row anywhere, in place of the one that is there.
    pub(super) fn put(&mut self, bucket: Bucket, key: &[u8], value: &[u8]) -> Result<(), BackendError> {
        self.used += row_bytes(key, value);
        self.replace(bucket, key, Some(value))
    }

    /// Removes a row, if it is there.
    pub(super) fn remove(&mut self, bucket: Bucket, key: &[u8]) -> Result<(), BackendError> {
        self.replace(bucket, key, None)
    }

    fn replace(&mut self, bucket: Bucket, key: &[u8], value: Option<&[u8]>) -> Result<(), BackendError> {
        let transaction = self.begin()?;
        let replace = || -> Result<Option<u64>, redb::Error> {
            let mut rows = WriteTable::open(&transaction, bucket)?;
            Ok(match value {
                Some(value) => rows.insert(key, value)?,
                None => rows.remove(key)?,
            })
        };
        let old = replace().map_err(|error| BackendError::from_redb(&self.path, error))?;
        // It may be one of this transaction.
        self.count();
        self.used = self.used.saturating_sub(old.unwrap_or(0));
        self.transaction = Some(transaction);
        Ok(())
    }

    /// What was added counts as part of the database; the next transaction begins with none.
    fn count(&mut self) {
        self.used += self.bytes;
        (self.rows, self.bytes) = (0, 0);
    }

    /// Has everything so far on the disk.
    pub(super) fn sync(&mut self) -> Result<(), BackendError> {
        let mut transaction = self.begin()?;
        self.count();
        let sync = move || -> Result<(), redb::Error> {
            transaction.set_durability(Durability::Immediate)?;
            transaction.commit()?;
            Ok(())
        };
        sync().map_err(|error| BackendError::from_redb(&self.path, error))
    }

    /// Makes everything durable; returns the database and the bytes that its rows take.
    pub(super) fn finish(mut self) -> Result<(Database, u64), BackendError> {
        let used = self.used + self.bytes;
        let mut finish = || -> Result<(), redb::Error> {
            if let Some(transaction) = self.transaction.take() {
                transaction.commit()?;
            }
            let mut transaction = self.database.begin_write()?;
            // Otherwise opening it could mean reading all of it.
            transaction.set_quick_repair(true);
            schema::put_used(&transaction, used)?;
            transaction.commit()?;
            Ok(())
        };
        finish().map_err(|error| BackendError::from_redb(&self.path, error))?;
        Ok((self.database, used))
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The end of a bucket.
pub(super) struct Tail<'a> {
    path: &'a Path,
    end: End<'a>,
    rows: &'a mut usize,
    bytes: &'a mut u64,
}

impl Tail<'_> {
    /// # Errors
    /// When the row does not follow the one before, or cannot be written.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), BackendError> {
        *self.bytes += self.end.push(key, value).map_err(|error| match error {
            CursorError::UnorderedKey => BackendError::corrupt(self.path, "a row is not in order"),
            error => BackendError::from_redb(self.path, error),
        })?;
        *self.rows += 1;
        Ok(())
    }

    /// Whether this is enough for one transaction.
    pub(super) fn is_full(&self) -> bool {
        is_full(*self.rows, *self.bytes)
    }
}

fn is_full(rows: usize, bytes: u64) -> bool {
    rows >= TRANSACTION_ROWS || bytes >= TRANSACTION_BYTES
}
