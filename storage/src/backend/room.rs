//! Room on the disk. A copy of the database is made only while it leaves some to what has to go on: the log, which
//! prepares its next segment at any time, and the database itself. Without that room the process would end.

use std::path::Path;

use super::{BackendError, on_disk};

/// What copies leave free unless they are told otherwise: two segments of the log.
const RESERVE_BYTES: u64 = 128 << 20;
/// Of a small file system no more than an eighth.
const RESERVE_PART: u64 = 8;
/// After how many bytes a copy looks again.
pub(super) const STEP_BYTES: usize = 16 << 20;

/// Whether so many bytes may be written to a file at that path. Others write, too: who writes much has to ask again and
/// again.
pub(super) fn check(path: &Path, needed: u64, reserve_bytes: Option<u64>) -> Result<(), BackendError> {
    let disk = rustix::fs::statvfs(on_disk::directory(path)).map_err(|error| BackendError::io(path, error.into()))?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    let (free, all) = (bytes(disk.f_bavail), bytes(disk.f_blocks));
    let reserve = reserve_bytes.unwrap_or_else(|| RESERVE_BYTES.min(all / RESERVE_PART));
    // A file system of no size is one that does not tell.
    if all == 0 || free >= needed.saturating_add(reserve) {
        return Ok(());
    }
    Err(BackendError::NoRoom { path: path.to_path_buf(), free, needed, reserve })
}

/// Looks again after every few bytes of a copy; it is told how many were written so far.
pub(super) fn in_steps(
    mut check: impl FnMut() -> Result<(), BackendError>,
) -> impl FnMut(u64) -> Result<(), BackendError> {
    let mut looked_at = 0;
    move |written| {
        if written - looked_at < STEP_BYTES as u64 {
            return Ok(());
        }
        looked_at = written;
        check()
    }
}
