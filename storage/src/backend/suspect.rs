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
use std::path::Path;
use std::time::Instant;

use redb::StorageBackend;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use tracing::{info, warn};

use super::storage::Files;
use super::{BackendError, guarded, mark, on_disk};

/// What is read at once.
const PIECE: usize = 1 << 20;

/// What is written or left out as a whole; file systems give no less room to a file.
const BLOCK: usize = 4096;

/// Brings a file to the disk that is marked. To be called before it is opened.
///
/// # Errors
/// When it is in use, or cannot be written: then the mark stays.
pub(super) fn settle(files: &Files, path: &Path) -> Result<(), BackendError> {
    if !mark::is_there(path)? {
        return Ok(());
    }
    let failed = |error| BackendError::io(path, error);
    let file = File::options().read(true).write(true).open(path).map_err(failed)?;
    // Held until the mark is gone: whoever has the file open could write in between.
    on_disk::lock(path, &file)?;
    let bytes = file.metadata().map_err(failed)?.len();
    warn!(file = %path.display(), bytes, "the file may not be on the disk as it can be read: writing it again");
    let begun = Instant::now();
    let holes = Holes::of(file.try_clone().map_err(failed)?);
    let storage = files.storage(path, file, Some(path))?;
    let written = guarded(path, || write_again(&storage, holes).map_err(failed));
    let outcome = written.and_then(|()| mark::remove(path));
    let closed = storage.close().map_err(failed);
    outcome.and(closed)?;
    info!(file = %path.display(), bytes, took = ?begun.elapsed(), "wrote the file again; it is on the disk");
    Ok(())
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
