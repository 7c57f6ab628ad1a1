//! A file of which something was not written is not trusted before it is written again.
//!
//! When a sync fails, Linux takes the pages for written all the same: they can be read, by the next process too, a
//! later sync has nothing to do and succeeds, and a power failure loses them. Others, such as network file systems, tell
//! of that with a later write. So when a write or a sync of the database fails, a file beside it says so before anybody
//! hears of the failure, and whoever opens the database next finds that, writes the file again in place, with the bytes
//! that it has, syncs it, and only then takes the mark away.
//!
//! The same bytes in the same places, and the mark stays until they are durable: killed anywhere in between, the next
//! start begins anew.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use redb::StorageBackend;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use tracing::{error, info, warn};

use super::storage::{self, Files, Identity};
use super::{BackendError, guarded};

/// What follows a file's name in that of its mark.
const SUFFIX: &str = ".suspect";

/// What is read at once.
const PIECE: usize = 1 << 20;

/// What is written or left out as a whole; file systems give no less room to a file.
const BLOCK: usize = 4096;

/// Marks a file when something done to it fails.
#[derive(Debug)]
pub(super) struct Watch {
    file: Identity,
    /// The names under which the next start may look for the file.
    names: Vec<PathBuf>,
    failed: AtomicBool,
}

impl Watch {
    pub(super) fn new(file: Identity, names: Vec<PathBuf>) -> Watch {
        Watch { file, names, failed: AtomicBool::new(false) }
    }

    /// Returns how something went that should have changed the file or made it durable; after a failure with the mark.
    pub(super) fn note(&self, outcome: io::Result<()>) -> io::Result<()> {
        if outcome.is_err() && !self.failed.swap(true, Ordering::Relaxed) {
            // What has no such name (yet) is thrown away by whoever hears of the failure.
            let own = |name: &&PathBuf| storage::identity(name).is_ok_and(|identity| identity == self.file);
            self.names.iter().filter(own).for_each(|name| mark(name));
        }
        outcome
    }
}

/// Says beside a file that it may not be on the disk as it can be read. There is nobody to tell when that fails, on a
/// disk that has just failed.
pub(super) fn mark(path: &Path) {
    let mark = name(path);
    let mut options = File::options();
    options.write(true).create_new(true);
    storage::restrict(&mut options);
    let created = match options.open(&mark) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return,
        created => created.and_then(|file| file.sync_all()).map_err(|error| BackendError::io(&mark, error)),
    };
    match created.and_then(|()| storage::sync_directory(&mark)) {
        Ok(()) => error!(file = %path.display(), "the file may not be on the disk: it is to be written again"),
        Err(error) => error!(file = %path.display(), %error, "cannot mark the file, which may not be on the disk"),
    }
}

/// Whether a file is marked.
pub(super) fn is_marked(path: &Path) -> Result<bool, BackendError> {
    let mark = name(path);
    mark.try_exists().map_err(|error| BackendError::io(&mark, error))
}

/// Brings a file to the disk that is marked. To be called before it is opened.
///
/// # Errors
/// When it is in use, or cannot be written: then the mark stays.
pub(super) fn settle(files: &Files, path: &Path) -> Result<(), BackendError> {
    if !is_marked(path)? {
        return Ok(());
    }
    let failed = |error| BackendError::io(path, error);
    let file = File::options().read(true).write(true).open(path).map_err(failed)?;
    // Held until the mark is gone: whoever has the file open could write in between.
    storage::lock(path, &file)?;
    let bytes = file.metadata().map_err(failed)?.len();
    warn!(file = %path.display(), bytes, "the file may not be on the disk as it can be read: writing it again");
    let begun = Instant::now();
    let holes = Holes::of(file.try_clone().map_err(failed)?);
    let storage = files.storage(path, file, Some(path))?;
    let written = guarded(path, || write_again(&storage, holes).map_err(failed));
    let outcome = written.and_then(|()| unmark(path));
    let closed = storage.close().map_err(failed);
    outcome.and(closed)?;
    info!(file = %path.display(), bytes, took = ?begun.elapsed(), "wrote the file again; it is on the disk");
    Ok(())
}

fn name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(SUFFIX);
    path.with_file_name(name)
}

fn unmark(path: &Path) -> Result<(), BackendError> {
    let mark = name(path);
    std::fs::remove_file(&mark).map_err(|error| BackendError::io(&mark, error))?;
    storage::sync_directory(&mark)
}

fn write_again(file: &dyn StorageBackend, mut holes: Holes) -> io::Result<()> {
    let end = file.len()?;
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    while at < end {
        let length = usize::try_from(end - at).map_or(PIECE, |left| left.min(PIECE));
        let piece = buffer.get_mut(..length).unwrap_or_default();
        file.read(at, piece)?;
        for block in piece.chunks(BLOCK) {
            let length = block.len() as u64;
            // A hole that is filled takes room, which a device that was full may not have.
            let is_hole = block.iter().all(|byte| *byte == 0) && holes.contain(at, length);
            if !is_hole {
                file.write(at, block)?;
            }
            at += length;
        }
    }
    file.sync_data()
}

/// What a file has no room for on the disk. That is asked about zeros only.
struct Holes {
    file: File,
    /// Where data begins, as seen from the last place that was asked about.
    data: u64,
}

impl Holes {
    fn of(file: File) -> Holes {
        Holes { file, data: 0 }
    }

    fn contain(&mut self, at: u64, length: u64) -> bool {
        if self.data < at + length {
            self.data = match rustix::fs::seek(&self.file, SeekFrom::Data(at)) {
                Ok(data) => data,
                Err(Errno::NXIO) => u64::MAX,
                // Where nobody knows of holes there are none.
                Err(_) => at,
            };
        }
        self.data >= at + length
    }
}
