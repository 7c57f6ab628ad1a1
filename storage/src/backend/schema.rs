//! What a database file says about itself: its versions, and how far the log is contained in it.

use std::path::Path;

use redb::{Database, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};

use super::free::Free;
use super::table::{WriteTable, definition};
use super::{Applied, BackendError, Bucket};

/// The etcd release whose storage schema the buckets follow, as etcd keeps it in the `meta` bucket.
pub const STORAGE_VERSION: &str = "3.7.0";

/// The version of the file beyond etcd's buckets: tables, encodings and the rows in `keyport`. Since version 2 rows with large
/// values may be in two tables (`backend/table.rs`).
pub const SCHEMA_VERSION: u64 = 2;

/// Keys of the `meta` bucket.
pub const CONSISTENT_INDEX: &[u8] = b"consistent_index";
pub const TERM: &[u8] = b"term";
pub const CONF_STATE: &[u8] = b"confState";
pub const SCHEDULED_COMPACT_REVISION: &[u8] = b"scheduledCompactRev";
pub const FINISHED_COMPACT_REVISION: &[u8] = b"finishedCompactRev";
pub const STORAGE_VERSION_KEY: &[u8] = b"storageVersion";

/// Rows of our own; etcd's buckets hold nothing but what etcd has, so that hashes are equal.
const OWN: TableDefinition<'_, &str, u64> = TableDefinition::new("keyport");
const OWN_SCHEMA_VERSION: &str = "schemaVersion";
const OWN_USED_BYTES: &str = "usedBytes";
const OWN_FREE_BYTES: &str = "freeBytes";
const OWN_FREE_IN: &str = "freeBytesInFileOf";

/// Gives an empty database its tables and versions.
pub(crate) fn create(database: &Database) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    put_tables(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// Gives a database of an older version what it lacks. It is one of this version then, which an older program refuses.
pub(crate) fn upgrade(database: &Database) -> Result<(), redb::Error> {
    let known = database.begin_read()?.open_table(OWN)?.get(OWN_SCHEMA_VERSION)?.map(|version| version.value());
    if known == Some(SCHEMA_VERSION) {
        return Ok(());
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    put_tables(&transaction)?;
    transaction.commit()?;
    Ok(())
}

fn put_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    for bucket in Bucket::ALL {
        WriteTable::open(transaction, bucket)?;
    }
    transaction.open_table(OWN)?.insert(OWN_SCHEMA_VERSION, SCHEMA_VERSION)?;
    Ok(())
}

/// Names the version in a database that was just created.
pub(crate) fn put_version(database: &Database) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.open_table(definition(Bucket::Meta))?.insert(STORAGE_VERSION_KEY, STORAGE_VERSION.as_bytes())?;
    transaction.commit()?;
    Ok(())
}

/// What opening a file finds out.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) applied: Applied,
    pub(crate) used_bytes: u64,
    pub(crate) free: Free,
}

/// Refuses a file that a newer program wrote, or that is none of ours.
pub(crate) fn check(path: &Path, database: &impl ReadableDatabase) -> Result<Found, BackendError> {
    let failed = |error: redb::Error| BackendError::from_redb(path, error);
    let transaction = database.begin_read().map_err(|error| failed(error.into()))?;
    let own = transaction.open_table(OWN).map_err(|error| failed(error.into()))?;
    let number = |name| own.get(name).map(|row| row.map(|row| row.value()));
    let version = number(OWN_SCHEMA_VERSION).map_err(|error| failed(error.into()))?;
    let version = version.ok_or_else(|| BackendError::corrupt(path, "its schema version is missing"))?;
    let newer = |found: &str, known: &str| BackendError::NewerSchema {
        path: path.to_path_buf(),
        found: found.into(),
        known: known.into(),
    };
    if version > SCHEMA_VERSION {
        return Err(newer(&version.to_string(), &SCHEMA_VERSION.to_string()));
    }
    let text = meta(&transaction, STORAGE_VERSION_KEY).map_err(failed)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    if minor_version(&text) > minor_version(STORAGE_VERSION) {
        return Err(newer(&text, STORAGE_VERSION));
    }
    let number_in_meta = |name| -> Result<u64, BackendError> {
        let Some(bytes) = meta(&transaction, name).map_err(failed)? else { return Ok(0) };
        let bytes = bytes.try_into().map_err(|_| {
            BackendError::corrupt(path, format!("{} is not 8 bytes long", String::from_utf8_lossy(name)))
        })?;
        Ok(u64::from_be_bytes(bytes))
    };
    let applied = Applied { index: number_in_meta(CONSISTENT_INDEX)?, term: number_in_meta(TERM)? };
    let used_bytes = number(OWN_USED_BYTES).map_err(|error| failed(error.into()))?.unwrap_or(0);
    let free_bytes = number(OWN_FREE_BYTES).map_err(|error| failed(error.into()))?.unwrap_or(0);
    let file_bytes = number(OWN_FREE_IN).map_err(|error| failed(error.into()))?.unwrap_or(0);
    Ok(Found { applied, used_bytes, free: Free::found(free_bytes, file_bytes) })
}

fn meta(transaction: &ReadTransaction, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
    let table = transaction.open_table(definition(Bucket::Meta))?;
    Ok(table.get(key)?.map(|row| row.value().to_vec()))
}

/// Major and minor number; none, which is the smallest, if the text is no version.
fn minor_version(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

pub(crate) fn put_applied(transaction: &WriteTransaction, applied: Applied) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(definition(Bucket::Meta))?;
    table.insert(CONSISTENT_INDEX, &applied.index.to_be_bytes()[..])?;
    table.insert(TERM, &applied.term.to_be_bytes()[..])?;
    Ok(())
}

pub(crate) fn put_used(transaction: &WriteTransaction, used: u64) -> Result<(), redb::Error> {
    transaction.open_table(OWN)?.insert(OWN_USED_BYTES, used)?;
    Ok(())
}

/// What of a file of this size can be written again.
pub(crate) fn put_free(transaction: &WriteTransaction, free: u64, file: u64) -> Result<(), redb::Error> {
    let mut own = transaction.open_table(OWN)?;
    own.insert(OWN_FREE_BYTES, free)?;
    own.insert(OWN_FREE_IN, file)?;
    Ok(())
}
