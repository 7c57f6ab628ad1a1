//! A dense copy in the place of the database, while that goes on.
//!
//! The rows are copied in slices, in order, each slice from the file as it is then. What changes behind the place where the copying
//! is, the flusher notes: the keys alone, and they are brought up to date with the next slice. History needs little of that, for it
//! grows at its end alone, and what a compaction has removed stays so. When all is copied and little has changed since, the flusher
//! does the rest between two transactions: it copies that little, syncs, renames. So transactions wait for a moment that does not
//! depend on how much there is, and memory holds a slice.
//!
//! Every slice is on its way to the disk before the next one is begun, or the last sync would have all of it to write.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use super::copying::{Copying, Slice};
use super::edition::Contents;
use super::flusher::Job;
use super::journal::Journal;
use super::loader::Loader;
use super::{Backend, BackendError, Shared, guarded};

/// The flusher gets what is left when a slice that reached the end had no more rows than this.
const LITTLE_ROWS: usize = 512;
/// Or after so many that reached the end, whatever they had: who writes that fast is caught up with while the flusher holds on.
const MOST_ROUNDS: usize = 8;

impl Backend {
    /// Replaces the file by a dense copy. Readers and `commit` do not wait for it.
    ///
    /// # Errors
    /// When the copy cannot be written, or there is too little room for it; the database goes on with the old file.
    pub fn defragment(&self) -> Result<(), BackendError> {
        self.defragment_while(&mut || {}, &|| true)
    }

    /// The same, resting after each row for as long as `rest` takes, so that others have the processor, and asking after each slice
    /// whether it is still wanted, which may take its time, too: then others have the disk.
    ///
    /// # Errors
    /// As [`Backend::defragment`]; [`BackendError::Unwanted`].
    pub fn defragment_while(&self, rest: &mut dyn FnMut(), is_wanted: &dyn Fn() -> bool) -> Result<(), BackendError> {
        let _alone = self.defragmenting.lock();
        // Rows that were removed are gone from the file then.
        self.flush()?;
        let noting = Noting::begin(&self.shared);
        let made = guarded(&self.shared.path, || noting.copy(rest, is_wanted));
        let replaced = made.and_then(|copying| self.ask(|answer| Job::Defragment(Box::new(copying), answer)));
        if replaced.is_err() {
            // It holds nothing that anyone needs, or has lost its name.
            let _ = std::fs::remove_file(noting.temporary());
        }
        // Closing what was replaced, and giving back its space, takes a while that nobody should wait for: it is done here.
        replaced.map(drop)
    }
}

/// While it is there, the flusher notes what changes.
struct Noting<'a> {
    shared: &'a Shared,
    contents: Arc<Contents>,
}

impl<'a> Noting<'a> {
    fn begin(shared: &'a Shared) -> Noting<'a> {
        let contents = shared.contents.load_full();
        contents.buffers.write().journal = Some(Journal::default());
        Noting { shared, contents }
    }

    fn temporary(&self) -> PathBuf {
        self.shared.temporary("defragment")
    }

    /// Everything up to a little.
    fn copy(&self, rest: &mut dyn FnMut(), is_wanted: &dyn Fn() -> bool) -> Result<Copying, BackendError> {
        let (shared, path) = (self.shared, self.temporary());
        shared.files.check_room(&path, shared.dense_size())?;
        let loader = Loader::create(&shared.files, &path)?;
        let mut copying = Copying::new(path, loader, Arc::clone(&self.contents));
        let mut rounds = 0;
        loop {
            let Slice { rows, is_last } = copying.slice(rest)?;
            if !is_wanted() {
                return Err(BackendError::Unwanted);
            }
            shared.files.check_room(&copying.path, 0)?;
            copying.loader.sync()?;
            rounds += usize::from(is_last);
            if is_last && (rows <= LITTLE_ROWS || rounds >= MOST_ROUNDS) {
                return Ok(copying);
            }
        }
    }
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        self.contents.buffers.write().journal = None;
    }
}
