//! Another file in the place of the database.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use redb::Database;
use tracing::error;

use super::edition::Contents;
use super::schema::{self, Found};
use super::storage::Files;
use super::view::View;
use super::{Applied, Backend, BackendError, BackendOptions, Shared, guarded, mark, on_disk, storage, suspect};

/// Why a file was not put in the place of the database.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database goes on with the file that it has.
    Kept(BackendError),
    /// Which file a restart would find is not known: nothing may be written any more.
    Lost(BackendError),
}

impl Backend {
    /// Replaces the database by a file that an [`super::ImageWriter`] has finished, or that is a whole database
    /// otherwise, on the same file system. The file loses its own name; a crash leaves the old database or the new
    /// one, complete and under the name of the database.
    ///
    /// What is committed and not yet in the new file is gone, for the new file is expected to be newer: returned is
    /// the last log entry in it, which is [`Backend::durable_applied`] now. Readers in the middle of something, a
    /// [`super::ImageReader`] and a [`crate::mvcc::Store`] that has not been reloaded go on with the old database.
    ///
    /// # Errors
    /// When the file is no database or cannot be renamed, and the database stays as it was; or when it cannot be
    /// known whether the renaming is durable, and [`Backend::failure`] says so.
    pub fn install(&self, file: &Path) -> Result<Applied, BackendError> {
        self.ask(|answer| super::Job::Install(file.to_path_buf(), answer))
    }
}

/// Puts a file in the place of a database that nobody has open, as [`Backend::install`] does with an open one: for
/// a start that finds a finished image of which the log says that it is to be used.
///
/// Returns the last log entry in the file.
///
/// # Errors
/// When the file does not open, then nothing was changed; or it cannot be renamed durably.
pub fn adopt(file: &Path, database: &Path) -> Result<Applied, BackendError> {
    let files = Files { options: BackendOptions::default(), layer: None, database: None };
    let (opened, found) = guarded(file, || open(&files, file))?;
    drop(opened);
    // Closing it writes, and tells nobody when that fails; the mark would stay behind with the old name.
    suspect::settle(&files, file)?;
    on_disk::rename(file, database)?;
    on_disk::sync_directory(database)?;
    Ok(found.applied)
}

/// Opens a file that is there, and looks at what it says about itself before anything is written to it, except what it
/// already has.
pub(super) fn open(files: &Files, path: &Path) -> Result<(Database, Found), BackendError> {
    suspect::settle(files, path)?;
    let file = File::options().read(true).write(true).open(path).map_err(|error| BackendError::io(path, error))?;
    storage::check(path, &file)?;
    let database = files.open(path, file)?;
    if mark::is_there(path)? {
        // By whoever had it open until a moment ago.
        return Err(BackendError::Locked(path.to_path_buf()));
    }
    let found = schema::check(path, &database)?;
    schema::upgrade(&database).map_err(|error| BackendError::from_redb(path, error))?;
    Ok((database, found))
}

/// The flusher has written what was committed before, so whoever holds the old edition finds all of it in the file.
pub(super) fn install(shared: &Shared, file: &Path) -> Result<Applied, Failure> {
    let opened = guarded(file, || {
        let identity = on_disk::identity(file)?;
        let (database, found) = open(&shared.files, file)?;
        Ok((View::open(&shared.path, &Arc::new(database))?, found, identity))
    });
    let (view, found, identity) = opened.map_err(Failure::Kept)?;
    shared.put_in_place(file)?;
    if on_disk::identity(&shared.path).map_err(Failure::Lost)? != identity {
        // Someone gave its name to another file meanwhile, which is the database now.
        return Err(Failure::Lost(BackendError::corrupt(file, "the file was replaced while it was installed")));
    }
    let old = shared.contents.load_full();
    {
        let mut buffers = old.buffers.write();
        buffers.retired = true;
        // It spoke of these buffers.
        shared.full.store(false, Ordering::Relaxed);
    }
    shared.contents.store(Arc::new(Contents::new(Arc::new(view), found.applied)));
    shared.note_dense(found.used_bytes);
    shared.control.lock().durable = found.applied;
    // Who waited for room in the old buffers need not.
    shared.done.notify_all();
    Ok(found.applied)
}

impl Shared {
    /// Gives a complete and synced file the name of the database.
    pub(super) fn put_in_place(&self, file: &Path) -> Result<(), Failure> {
        on_disk::rename(file, &self.path).map_err(Failure::Kept)?;
        on_disk::sync_directory(&self.path).map_err(Failure::Lost)
    }

    /// Stops all writing if it must not go on.
    pub(super) fn note<T>(&self, result: &Result<T, Failure>) -> Option<BackendError> {
        let Err(Failure::Lost(failure)) = result else { return self.control.lock().failure.clone() };
        error!(%failure, "cannot tell which database a restart would find; nothing becomes durable any more");
        self.control.lock().failure = Some(failure.clone());
        Some(failure.clone())
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Failure {
        Failure::Kept(error)
    }
}

impl From<Failure> for BackendError {
    fn from(failure: Failure) -> BackendError {
        match failure {
            Failure::Kept(error) | Failure::Lost(error) => error,
        }
    }
}
