//! An image of the database for someone else.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::Ordering;

use super::{Backend, BackendError, copy};

/// A consistent image of the whole database, read from its beginning to its end.
///
/// The image is a database file of this program (redb, see [`crate::schema`]), complete in itself: put in the place
/// of a member's database it opens as that database stood. Who sends it to a client appends its SHA-256, as etcd
/// does.
#[derive(Debug)]
pub struct SnapshotReader {
    file: File,
    len: u64,
}

impl Backend {
    /// Everything committed so far, as of one moment. It is copied to a file without a name first, so that a slow
    /// reader holds up nobody.
    ///
    /// # Errors
    /// When what is committed, or the copy, cannot be written.
    pub fn snapshot(&self) -> Result<SnapshotReader, BackendError> {
        self.flush()?;
        let edition = self.edition();
        let view = edition.view();
        let number = self.shared.snapshots.fetch_add(1, Ordering::Relaxed);
        let path = self.shared.temporary(&format!("snapshot.{number}"));
        // Closes the copy: its image is that of a database at rest, without what the growth of the file left behind it.
        let copied =
            edition.guarded(|| copy::to_file(&self.shared.files, &view, &path)).map(|(database, _)| drop(database));
        let opened = copied.and_then(|()| File::open(&path).map_err(|error| BackendError::io(&path, error)));
        // The reader has it open.
        let removed = std::fs::remove_file(&path);
        let file = opened?;
        removed.map_err(|error| BackendError::io(&path, error))?;
        let len = file.metadata().map_err(|error| BackendError::io(&path, error))?.len();
        Ok(SnapshotReader { file, len })
    }
}

impl SnapshotReader {
    /// How many bytes there are in all.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Read for SnapshotReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}
