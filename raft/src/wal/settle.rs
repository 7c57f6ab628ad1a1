//! What can be read is not always on the disk: before a log is trusted, it is brought there.
//!
//! A process that is killed leaves writes that were never synced, and a name that was never synced. A sync that fails
//! leaves worse: Linux then takes the pages for written, so they can still be read, a later sync has nothing to do and
//! succeeds, and a power failure loses them. Only writing them again helps. So the last segment is written again, with the
//! bytes that it has, and synced, and its name too, before it is read as a log. Segments before it were synced before
//! it got its name, and are never written again.
//!
//! The same bytes in the same places: wherever a crash interrupts it, every sector has what it had, or what was read.

use super::disk::{Disk, DiskFile, read_full_at, write_all_at};
use super::segment::SegmentName;
use super::{WalError, tail, zeros};
use crate::plant::{Plant, Plants};

const PIECE: usize = 1 << 20;

/// Writes the last segment of a log again and makes it durable, with its name.
pub(super) fn settle(disk: &dyn Disk, last: &SegmentName, plants: Plants) -> Result<(), WalError> {
    let name = last.to_string();
    let path = disk.path().join(&name);
    let file = disk.open(&name).map_err(WalError::io(&path, "open"))?;
    let names = disk.list().map_err(WalError::io(disk.path(), "list directory"))?;
    // Zeros are as they were prepared, which was synced, unless a repair wrote them over a torn end.
    let with_zeros = names.contains(&tail::copy_name(&name));
    if !plants.has(Plant::TrustAfterFailedSync) {
        copy_in_place(file.as_ref(), with_zeros).map_err(WalError::io(&path, "write again"))?;
    }
    file.sync_data().map_err(WalError::io(&path, "sync"))?;
    disk.sync().map_err(WalError::io(disk.path(), "sync directory"))
}

fn copy_in_place(file: &dyn DiskFile, with_zeros: bool) -> std::io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    loop {
        let read = read_full_at(file, &mut buffer, at)?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            return Ok(());
        }
        if with_zeros || !zeros::is_zero(piece) {
            write_all_at(file, piece, at)?;
        }
        at += read as u64;
    }
}
