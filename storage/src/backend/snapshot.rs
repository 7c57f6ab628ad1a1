//! An image of the database for someone else.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use super::{Backend, BackendError, copy};

/// A consistent image of the whole database, for as many readers as want it. It is on the disk, without a name, until it
/// is dropped.
///
/// The image is a database file of this program (redb, see [`crate::backend::schema`]), complete in itself: put in the place
/// of a member's database it opens as that database stood. Who sends it to a client appends its SHA-256, as etcd
/// does.
#[derive(Debug)]
pub struct Snapshot {
    file: File,
    len: u64,
}

impl Backend {
    /// Everything committed so far, as of one moment that is not before the call. It is copied to a file, so that a slow
    /// reader holds up nobody. `is_wanted` is asked again and again meanwhile.
    ///
    /// # Errors
    /// `NoRoom` when the disk has too little for it, `Unwanted` as soon as it is not wanted; or what is committed, or the
    /// copy, cannot be written. Nothing is left behind.
    pub fn snapshot(&self, is_wanted: &dyn Fn() -> bool) -> Result<Snapshot, BackendError> {
        self.flush()?;
        let edition = self.edition();
        let view = edition.view();
        let number = self.shared.snapshots.fetch_add(1, Ordering::Relaxed);
        let path = self.shared.temporary(&format!("snapshot.{number}"));
        let needed = self.size_in_use();
        // Closes the copy: its image is that of a database at rest, without what the growth of the file left behind it.
        let copied = edition.guarded(|| copy::to_file(&self.shared.files, &view, &path, needed, is_wanted).map(drop));
        let opened = copied.and_then(|()| File::open(&path).map_err(|error| BackendError::io(&path, error)));
        // Whoever reads has it open.
        let removed = std::fs::remove_file(&path);
        let file = opened?;
        removed.map_err(|error| BackendError::io(&path, error))?;
        let len = file.metadata().map_err(|error| BackendError::io(&path, error))?.len();
        Ok(Snapshot { file, len })
    }
}

impl Snapshot {
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
        self.file.read_exact_at(buffer, offset)
    }
}
