//! A database out of a bbolt file: etcd's own, or a copy that a member made for a client.

#[cfg(test)]
mod tests;

use std::path::Path;

use super::loader::{Loader, Tail};
use super::schema::{SCHEDULED_COMPACT_REVISION, STORAGE_VERSION, STORAGE_VERSION_KEY};
use super::storage::Files;
use super::{BackendError, BackendOptions, Bucket, Changes, RowKey, guarded, on_disk};
use crate::Record;
use crate::bbolt::{self, ReadAt, ReadError, Reader};

/// What becomes of a file's rows on their way.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Beyond the version of the storage, which becomes this program's in any case.
    pub changes: Changes,
    /// So much is added to the revision, and everything up to there counts as compacted: whoever kept what was true
    /// before has to look again.
    pub bump: Option<i64>,
}

/// Builds a database under a name that nothing has, out of all rows of a file. It is durable then; before, and after an
/// error, nothing has the name. Each row's bytes stay as they are.
///
/// # Errors
/// When the file is damaged (the error names it), has buckets or rows that this program does not know, or the database cannot be
/// written.
pub fn import<R: ReadAt>(
    (from, reader): (&Path, &Reader<R>),
    to: &Path,
    options: BackendOptions,
    wanted: &ImportOptions,
) -> Result<(), BackendError> {
    let files = Files { options, layer: None, database: None };
    let unfinished = super::temporary(to, "import");
    files.check_room(&unfinished, reader.bytes())?;
    let built = guarded(&unfinished, || {
        let loader = Loader::create(&files, &unfinished)?;
        let changes = wanted.changes.clone().put(Bucket::Meta, STORAGE_VERSION_KEY, STORAGE_VERSION);
        Import { from, loader, changes, bump: wanted.bump, last: None }.all(reader)
    });
    let named = built.and_then(|()| on_disk::rename(&unfinished, to)).and_then(|()| on_disk::sync_directory(to));
    if named.is_err() {
        // What the error says is what matters.
        let _ = std::fs::remove_file(&unfinished);
    }
    named
}

struct Import<'a> {
    from: &'a Path,
    loader: Loader,
    changes: Changes,
    /// As it was wanted, until it is done.
    bump: Option<i64>,
    /// Of history, as far as it was read.
    last: Option<RowKey>,
}

impl Import<'_> {
    fn all<R: ReadAt>(mut self, reader: &Reader<R>) -> Result<(), BackendError> {
        let from = self.from;
        let unread = |error| unread(from, error);
        let mut buckets = reader.buckets().map_err(unread)?;
        let mut to_come = Bucket::ALL.into_iter().peekable();
        while let Some(rows) = buckets.next_bucket().map_err(unread)? {
            let bucket = known(from, rows.name())?;
            while let Some(missing) = to_come.next_if(|next| *next < bucket) {
                self.bucket::<R>(missing, None)?;
            }
            to_come.next();
            self.bucket(bucket, Some(rows))?;
        }
        to_come.try_for_each(|missing| self.bucket::<R>(missing, None))?;
        self.loader.finish().map(drop)
    }

    fn bucket<R: ReadAt>(
        &mut self,
        bucket: Bucket,
        mut rows: Option<bbolt::Bucket<'_, R>>,
    ) -> Result<(), BackendError> {
        let from = self.from;
        let changes = self.changes.clone();
        let mut merge = changes.of(bucket);
        let last = &mut self.last;
        while let Some(rows) = &mut rows {
            let more = self.loader.append(bucket, |tail| {
                while !tail.is_full() {
                    let Some(row) = rows.next_row().map_err(|error| unread(from, error))? else { return Ok(false) };
                    if bucket == Bucket::Key {
                        *last = Some(history(from, row.key, row.value)?);
                    }
                    merge.row(row.key, row.value, |key, value| tail.push(key, value))?;
                }
                Ok(true)
            })?;
            if !more {
                break;
            }
        }
        self.loader.append(bucket, |tail| merge.end(|key, value| tail.push(key, value)))?;
        match self.bump.take_if(|_| bucket == Bucket::Key) {
            Some(by) => self.bump(by),
            None => Ok(()),
        }
    }

    /// As `etcdutl` does it: a row without a key, which is what the last revision was about.
    fn bump(&mut self, by: i64) -> Result<(), BackendError> {
        let highest = self.last.map_or(0, |last| last.main);
        let too_far = || BackendError::corrupt(self.from, format!("no revision is {by} beyond {highest}"));
        let row = RowKey::new(highest.checked_add(by).ok_or_else(too_far)?, 0).encode();
        self.loader.append(Bucket::Key, |tail: &mut Tail<'_>| tail.push(&row, &[]))?;
        self.changes = std::mem::take(&mut self.changes).put(Bucket::Meta, SCHEDULED_COMPACT_REVISION, &*row);
        Ok(())
    }
}

fn known(from: &Path, name: &[u8]) -> Result<Bucket, BackendError> {
    let known = Bucket::ALL.into_iter().find(|bucket| bucket.name().as_bytes() == name);
    known.ok_or_else(|| BackendError::corrupt(from, format!("the bucket \"{}\" is unknown", name.escape_ascii())))
}

/// What would not be found before somebody reads it.
fn history(from: &Path, key: &[u8], value: &[u8]) -> Result<RowKey, BackendError> {
    let row = RowKey::decode(key)
        .ok_or_else(|| BackendError::corrupt(from, format!("a row of history has the key {key:02x?}")))?;
    match Record::check(value) {
        Ok(()) => Ok(row),
        Err(error) => Err(BackendError::corrupt(from, format!("the row {row:?} is {error}"))),
    }
}

fn unread(from: &Path, error: ReadError) -> BackendError {
    match error {
        ReadError::Io { source, .. } => BackendError::io(from, source),
        error => BackendError::corrupt(from, error.to_string()),
    }
}
