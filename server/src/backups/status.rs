//! What is in a backup, by the same figures as `etcdutl snapshot status`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use keyport_storage::Record;
use keyport_storage::backend::schema::STORAGE_VERSION_KEY;
use keyport_storage::backend::{Bucket, RowKey};
use serde::Serialize;

use super::file::{BackupFile, FileError, Manner};

/// See the module's text.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    /// CRC-32C of the names of all buckets, their keys and values.
    pub(super) hash: u32,
    /// Of the last row of history.
    pub(super) revision: i64,
    /// Keys that are there at that revision.
    pub(super) total_key: usize,
    /// Bytes of the database.
    pub(super) total_size: u64,
    /// Of the storage; empty if nothing is said, as before etcd 3.6.
    pub(super) version: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum StatusError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: damaged: the row {key:02x?} of bucket \"{bucket}\" is none of history", path.display())]
    Row { path: PathBuf, bucket: &'static str, key: Vec<u8> },
}

/// Goes through the whole file: damage anywhere is found.
///
/// # Errors
/// When the file cannot be read, is no bbolt file, or is damaged.
pub(super) fn of(path: &Path) -> Result<Status, StatusError> {
    let work = std::env::temp_dir().join(format!("keyport-status.{}", std::process::id()));
    walk(&BackupFile::open(path, &work, Manner::Shown)?)
}

/// As [`of`], and the digest has to be right.
///
/// # Errors
/// The same; when there is no digest, or it is that of something else.
pub(super) fn verified(path: &Path, manner: Manner) -> Result<Status, StatusError> {
    let file = BackupFile::open(path, path, manner)?;
    file.check_digest()?;
    walk(&file)
}

fn walk(file: &BackupFile) -> Result<Status, StatusError> {
    let reader = file.reader()?;
    let damaged = |error| StatusError::from(file.damaged(error));
    let mut status = Status { hash: 0, revision: 0, total_key: 0, total_size: reader.bytes(), version: String::new() };
    let mut keys = HashSet::new();
    let mut buckets = reader.buckets().map_err(damaged)?;
    while let Some(mut rows) = buckets.next_bucket().map_err(damaged)? {
        let (is_history, is_meta) = (is(rows.name(), Bucket::Key), is(rows.name(), Bucket::Meta));
        let mut hash = crc32c::crc32c_append(status.hash, rows.name());
        while let Some(row) = rows.next_row().map_err(damaged)? {
            hash = crc32c::crc32c_append(crc32c::crc32c_append(hash, row.key), row.value);
            if is_meta && row.key == STORAGE_VERSION_KEY {
                status.version = String::from_utf8_lossy(row.value).into_owned();
            }
            if is_history {
                let read = RowKey::decode(row.key).zip(Record::decode(row.value).ok());
                let (key, record) = read.ok_or_else(|| StatusError::Row {
                    path: file.path.clone(),
                    bucket: Bucket::Key.name(),
                    key: row.key.to_vec(),
                })?;
                status.revision = key.main;
                // The last row of a key says whether it is there.
                if key.tombstone {
                    keys.remove(record.key());
                } else if !row.value.is_empty() && !keys.contains(record.key()) {
                    keys.insert(record.key().to_vec());
                }
            }
        }
        status.hash = hash;
    }
    status.total_key = keys.len();
    Ok(status)
}

fn is(name: &[u8], bucket: Bucket) -> bool {
    name == bucket.name().as_bytes()
}
