//! The mark beside a file that says that it is suspect: see [`suspect`](super::suspect).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::error;

use super::on_disk::Identity;
use super::{BackendError, on_disk};

/// What follows a file's name in that of its mark.
const SUFFIX: &str = ".suspect";

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
            let own = |name: &&PathBuf| on_disk::identity(name).is_ok_and(|identity| identity == self.file);
            self.names.iter().filter(own).for_each(|name| put(name));
        }
        outcome
    }
}

/// Says beside a file that it may not be on the disk as it can be read. There is nobody to tell when that fails, on a
/// disk that has just failed.
pub(super) fn put(path: &Path) {
    let mark = name(path);
    let mut options = File::options();
    options.write(true).create_new(true);
    on_disk::restrict(&mut options);
    let created = match options.open(&mark) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return,
        created => created.and_then(|file| file.sync_all()).map_err(|error| BackendError::io(&mark, error)),
    };
    match created.and_then(|()| on_disk::sync_directory(&mark)) {
        Ok(()) => error!(file = %path.display(), "the file may not be on the disk: it is to be written again"),
        Err(error) => error!(file = %path.display(), %error, "cannot mark the file, which may not be on the disk"),
    }
}

/// Whether a file is marked.
pub(super) fn is_there(path: &Path) -> Result<bool, BackendError> {
    let mark = name(path);
    mark.try_exists().map_err(|error| BackendError::io(&mark, error))
}

pub(super) fn name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(SUFFIX);
    path.with_file_name(name)
}

/// Takes the mark away.
pub(super) fn remove(path: &Path) -> Result<(), BackendError> {
    let mark = name(path);
    std::fs::remove_file(&mark).map_err(|error| BackendError::io(&mark, error))?;
    on_disk::sync_directory(&mark)
}
