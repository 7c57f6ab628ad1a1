//! What of the file is taken, and what can be written again.
//!
//! The file keeps its size when rows are removed: pages that are empty afterwards are written again before it grows. How many these
//! are redb does not say, and by the sum of the rows it cannot be told: a page with one row left is taken. So after a compaction the
//! pages of the rows are gone through and added up; what the file has beside them is free. Until that is done again, what is added
//! is taken from it. Where the file grows all the same, because what is free is in pieces that are too small, the rest of it is free.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::free::Free;
use super::view::View;
use super::{BackendError, Bucket, Edition, Shared};

/// What redb takes for itself beside the rows, at least.
const OWN_BYTES: u64 = 64 * 1024;
/// And for each so many bytes of the file, one: its maps of pages.
const OWN_PART: u64 = 1024;

impl Shared {
    /// Bytes of the file that can be written again.
    pub(super) fn reusable(&self) -> u64 {
        self.free.lock().left(self.size.load(Ordering::Relaxed), self.added.load(Ordering::Relaxed))
    }

    /// The file is a dense one, whose rows take this much.
    pub(super) fn note_dense(&self, used: u64) {
        self.used.store(used, Ordering::Relaxed);
        *self.free.lock() = Free::default();
        self.measure();
    }

    /// What a dense copy of the file would take, about, by the sum of the rows.
    pub(super) fn dense_size(&self) -> u64 {
        /// The part of a page that rows fill on average, in percent, and what an empty database takes.
        const FILL: u64 = 95;
        const EMPTY: u64 = 64 * 1024;
        let used = self.used.load(Ordering::Relaxed);
        (EMPTY + used / FILL * 100).min(self.size.load(Ordering::Relaxed))
    }
}

impl Edition {
    /// Finds out what of the file can be written again: after rows were removed, durably. It goes through all pages.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn look_for_free_pages(&self) -> Result<(), BackendError> {
        let shared = &*self.shared;
        let (view, file, added) = {
            let buffers = self.contents.buffers.read();
            let (file, added) = (shared.size.load(Ordering::Relaxed), shared.added.load(Ordering::Relaxed));
            (Arc::clone(&buffers.view), file, added)
        };
        let taken = self.guarded(|| taken_bytes(&shared.path, &view))?;
        let bytes = file.saturating_sub(taken + OWN_BYTES + file / OWN_PART);
        // Another file may have taken its place, of which this says nothing.
        let buffers = self.contents.buffers.read();
        if !buffers.retired && Arc::ptr_eq(view.database(), buffers.view.database()) {
            *shared.free.lock() = Free { bytes, file, added };
        }
        Ok(())
    }
}

/// What a row takes of the file: a page is shared by as many as fit whole, and larger rows have pages of their own, of which there
/// are as many as a power of two.
pub(super) fn page_bytes(row: u64) -> u64 {
    const PAGE: u64 = 4096;
    const HEAD: u64 = 32;
    let row = row.max(1);
    match (PAGE - HEAD) / row {
        0 => row.saturating_add(HEAD).checked_next_power_of_two().unwrap_or(u64::MAX),
        rows => PAGE / rows,
    }
}

/// The pages of all rows.
fn taken_bytes(path: &Path, view: &View) -> Result<u64, BackendError> {
    let mut bytes = 0;
    for bucket in Bucket::ALL {
        bytes += view.table(bucket).taken_bytes().map_err(|error| BackendError::from_redb(path, error))?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_take_pages() {
        assert_eq!(page_bytes(300), 4096 / 13);
        assert_eq!(page_bytes(2_100), 4096);
        assert_eq!(page_bytes(4_060), 4096);
        assert_eq!(page_bytes(20_000), 32_768);
        assert_eq!((page_bytes(0), page_bytes(u64::MAX)), (1, u64::MAX));
    }

    #[test]
    fn what_is_added_is_taken_from_what_is_free() {
        let free = Free { bytes: 1000, file: 5000, added: 70 };
        assert_eq!(free.left(5000, 70), 1000);
        assert_eq!(free.left(5000, 470), 600);
        assert_eq!(free.left(5000, 2000), 0);
        assert_eq!(free.left(4900, 470), 500, "the end of the file was free and is gone");
        assert_eq!(free.left(5400, 470), 1000, "it grew, in spite of what was free");
        assert_eq!(Free::default().left(5400, 470), 0, "nobody has looked");
    }
}
