//! A copy of the database for someone else, in etcd's format.

use std::borrow::Borrow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::on_disk::restrict;
use super::table::Table;
use super::{Backend, BackendError, Bucket, Changes, room};
use crate::bbolt::{ReadAt, WriteError, Writer};

/// After so many bytes of rows, some microseconds of work, it is asked whether the rest is wanted.
const ASK_BYTES: u64 = 8 << 10;

/// A consistent copy of the whole database, for as many readers as want it. It is on the disk, without a name, until it
/// is dropped.
///
/// It is a bbolt file with a bucket for each of [`Bucket::ALL`], complete in itself: etcd and its tools take it for one of
/// their own. Who sends it to a client appends its SHA-256, as etcd does.
#[derive(Debug)]
pub struct Snapshot {
    file: File,
    len: u64,
}

impl Backend {
    /// Everything committed so far, as of one moment that is not before the call, with `changes`. It is written to a file, so
    /// that a slow reader holds up nobody. `is_wanted` is asked after every few rows meanwhile, and may take its time.
    ///
    /// # Errors
    /// `NoRoom` when the disk has too little for it, `Unwanted` as soon as it is not wanted; or what is committed, or the
    /// copy, cannot be written. Nothing is left behind.
    pub fn snapshot(&self, changes: &Changes, is_wanted: &mut dyn FnMut() -> bool) -> Result<Snapshot, BackendError> {
        let number = self.shared.snapshots.fetch_add(1, Ordering::Relaxed);
        let path = self.shared.temporary(&format!("snapshot.{number}"));
        self.copy(&path, unnamed, changes, is_wanted)
    }

    /// The same in a file that has a name, in place of what has that name. It is not synced.
    ///
    /// # Errors
    /// As [`Backend::snapshot`], but that what was written of the file stays.
    pub fn save(
        &self,
        path: &Path,
        changes: &Changes,
        is_wanted: &mut dyn FnMut() -> bool,
    ) -> Result<Snapshot, BackendError> {
        self.copy(path, named, changes, is_wanted)
    }

    fn copy(
        &self,
        path: &Path,
        create: fn(&Path) -> io::Result<File>,
        changes: &Changes,
        is_wanted: &mut dyn FnMut() -> bool,
    ) -> Result<Snapshot, BackendError> {
        self.flush()?;
        let edition = self.edition();
        let view = edition.view();
        self.shared.files.check_room(path, self.dense_size())?;
        let file = create(path).map_err(|error| BackendError::io(path, error))?;
        let mut check_room = room::in_steps(|| self.shared.files.check_room(path, 0));
        let mut goes_on = |written| if is_wanted() { check_room(written) } else { Err(BackendError::Unwanted) };
        let table = |bucket| Ok(view.table(bucket));
        let written = edition.guarded(|| write(&table, path, &file, changes, &mut goes_on));
        Ok(Snapshot { len: written?, file })
    }
}

/// A new file that only who has it open can reach, so that nothing is left of it whatever happens.
pub(super) fn unnamed(path: &Path) -> io::Result<File> {
    let file = named(path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

/// In place of what a process that is gone may have left there.
fn named(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    restrict(options.read(true).write(true).create_new(true));
    options.open(path)
}

/// How many bytes were written. `goes_on` is told how many rows' bytes there are so far.
pub(super) fn write<T: Borrow<Table>>(
    table: &dyn Fn(Bucket) -> Result<T, BackendError>,
    path: &Path,
    file: &File,
    changes: &Changes,
    goes_on: &mut dyn FnMut(u64) -> Result<(), BackendError>,
) -> Result<u64, BackendError> {
    let unwritten = |error| match error {
        WriteError::Io(error) => BackendError::io(path, error),
        // What the database has is what cannot be in a file of etcd's.
        error => BackendError::corrupt(path, error.to_string()),
    };
    let failed = |error| BackendError::from_redb(path, error);
    let mut writer = Writer::new(file).map_err(unwritten)?;
    let (mut rows_bytes, mut asked_at) = (0, 0);
    for bucket in Bucket::ALL {
        goes_on(rows_bytes)?;
        writer.bucket(bucket.name().as_bytes()).map_err(unwritten)?;
        let mut merge = changes.of(bucket);
        for row in table(bucket)?.borrow().iter().map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            merge.row(key.value(), value.value(), |key, value| writer.put(key, value)).map_err(unwritten)?;
            rows_bytes += (key.value().len() + value.value().len()) as u64;
            if rows_bytes - asked_at >= ASK_BYTES {
                asked_at = rows_bytes;
                goes_on(rows_bytes)?;
            }
        }
        merge.end(|key, value| writer.put(key, value)).map_err(unwritten)?;
    }
    let (_, written) = writer.finish().map_err(unwritten)?;
    Ok(written.bytes)
}

impl Snapshot {
    pub(super) fn new(file: File, len: u64) -> Snapshot {
        Snapshot { file, len }
    }

    /// How many bytes there are in all.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills the buffer from that offset on.
    ///
    /// # Errors
    /// When the file cannot be read, or ends before.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        FileExt::read_exact_at(&self.file, buffer, offset)
    }
}

impl ReadAt for Snapshot {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_at(offset, buffer)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len)
    }
}
