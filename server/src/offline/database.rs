//! A database as a stopped member left it, whosever it is: a redb file or a bbolt file, read in the same way.

use std::fs::{File, TryLockError};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use keyport_storage::backend::schema::{CONSISTENT_INDEX, FINISHED_COMPACT_REVISION, TERM};
use keyport_storage::backend::{Applied, BackendError, Bucket, ClosedFile, EachRow, RowKey, Rows, is_native};
use keyport_storage::bbolt::{ReadError, Reader};

/// See the module's text.
#[derive(Debug)]
pub(super) enum Database {
    Keyport(ClosedFile),
    Etcd(EtcdFile),
}

/// One of etcd's. The file is locked for as long as this lives.
#[derive(Debug)]
pub(super) struct EtcdFile {
    path: PathBuf,
    reader: Reader<File>,
}

impl Database {
    /// # Errors
    /// When a process has it open, it cannot be read, or is damaged where that shows at once.
    pub(super) fn open(path: &Path) -> Result<Database, BackendError> {
        if native(path)? {
            ClosedFile::inspect(path).map(Database::Keyport)
        } else {
            EtcdFile::open(path).map(Database::Etcd)
        }
    }

    /// As [`Database::open`], and has a look at each page.
    ///
    /// # Errors
    /// The same; damage anywhere.
    pub(super) fn check(path: &Path) -> Result<Database, BackendError> {
        if native(path)? {
            return ClosedFile::check(path).map(Database::Keyport);
        }
        let file = EtcdFile::open(path)?;
        file.reader.check().map_err(|error| file.failed(&error))?;
        Ok(Database::Etcd(file))
    }

    /// Whose it is.
    pub(super) fn owner(&self) -> &'static str {
        match self {
            Database::Keyport(_) => "of Keyport",
            Database::Etcd(_) => "of an etcd",
        }
    }

    /// The last log entry that is in it; of term 0 if that is not said, as before etcd 3.5.
    pub(super) fn applied(&self) -> Result<Applied, BackendError> {
        let number = |name: &[u8]| {
            let Some(row) = self.row(Bucket::Meta, name)? else { return Ok(0) };
            let row: Result<[u8; 8], _> = row.as_ref().try_into();
            row.map(u64::from_be_bytes)
                .map_err(|_| self.corrupt(&format!("{} is not 8 bytes long", name.escape_ascii())))
        };
        Ok(Applied { index: number(CONSISTENT_INDEX)?, term: number(TERM)? })
    }

    /// Everything before it is compacted, if something is.
    pub(super) fn compacted(&self) -> Result<Option<i64>, BackendError> {
        let row = self.row(Bucket::Meta, FINISHED_COMPACT_REVISION)?;
        let compacted = row.map(|row| RowKey::decode(&row).map(|key| key.main));
        compacted.map(|main| main.ok_or_else(|| self.corrupt("finishedCompactRev is no revision"))).transpose()
    }

    pub(super) fn corrupt(&self, detail: &str) -> BackendError {
        corrupt(self.path(), detail)
    }
}

impl Rows for Database {
    fn path(&self) -> &Path {
        match self {
            Database::Keyport(file) => file.path(),
            Database::Etcd(file) => file.path(),
        }
    }

    fn row(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        match self {
            Database::Keyport(file) => file.row(bucket, key),
            Database::Etcd(file) => file.row(bucket, key),
        }
    }

    fn each_row(&self, bucket: Bucket, each: &mut EachRow<'_>) -> Result<(), BackendError> {
        match self {
            Database::Keyport(file) => file.each_row(bucket, each),
            Database::Etcd(file) => file.each_row(bucket, each),
        }
    }
}

impl EtcdFile {
    fn open(path: &Path) -> Result<EtcdFile, BackendError> {
        let file = File::open(path).map_err(|error| failed(path, error))?;
        // bbolt locks its file in the same way, for as long as an etcd has it open.
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackendError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(path, error)),
        }
        let reader = Reader::open(file).map_err(|error| damaged(path, &error, None))?;
        Ok(EtcdFile { path: path.to_owned(), reader })
    }

    fn failed(&self, error: &ReadError) -> BackendError {
        damaged(&self.path, error, Some(u64::from(self.reader.meta().page_bytes)))
    }
}

impl Rows for EtcdFile {
    fn path(&self) -> &Path {
        &self.path
    }

    /// Goes through the bucket: for those that are small.
    fn row(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        let mut found = None;
        self.each_row(bucket, &mut |row, value| {
            if row != key {
                return ControlFlow::Continue(());
            }
            found = Some(Bytes::copy_from_slice(value));
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    fn each_row(&self, bucket: Bucket, each: &mut EachRow<'_>) -> Result<(), BackendError> {
        let failed = |error| self.failed(&error);
        let mut buckets = self.reader.buckets().map_err(failed)?;
        let Some(mut rows) = buckets.find(bucket.name().as_bytes()).map_err(failed)? else { return Ok(()) };
        while let Some(row) = rows.next_row().map_err(failed)? {
            if each(row.key, row.value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn native(path: &Path) -> Result<bool, BackendError> {
    let file = File::open(path).and_then(|mut file| is_native(&mut file));
    file.map_err(|error| failed(path, error))
}

fn failed(path: &Path, error: io::Error) -> BackendError {
    BackendError::Io { path: path.to_owned(), source: Arc::new(error) }
}

fn corrupt(path: &Path, detail: &str) -> BackendError {
    BackendError::Corrupt { path: path.to_owned(), detail: detail.into() }
}

/// With the place in the file.
fn damaged(path: &Path, error: &ReadError, page_bytes: Option<u64>) -> BackendError {
    match (error, page_bytes) {
        (ReadError::Damaged(damaged), Some(page_bytes)) => {
            corrupt(path, &format!("{error} (at byte {})", damaged.page.saturating_mul(page_bytes)))
        }
        _ => corrupt(path, &error.to_string()),
    }
}
