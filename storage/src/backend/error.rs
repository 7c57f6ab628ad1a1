//! What can go wrong with the database file, one line each.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::ThreadPanic;

/// Cheap to clone: everyone who waited for the same commit gets the same reason.
#[derive(Clone, Debug, Error)]
pub enum BackendError {
    #[error("{}: locked by another process", .0.display())]
    Locked(PathBuf),
    #[error("{}: cannot be written: {source}", path.display())]
    Unwritable { path: PathBuf, source: Arc<io::Error> },
    #[error("{}: no space left on the device", .0.display())]
    NoSpace(PathBuf),
    #[error("{}: needs {needed} bytes and leaves {reserve} to others, but only {free} are free", path.display())]
    NoRoom { path: PathBuf, free: u64, needed: u64, reserve: u64 },
    #[error("nobody waits for the copy any more")]
    Unwanted,
    #[error("{}: corrupt: {detail}", path.display())]
    Corrupt { path: PathBuf, detail: Arc<str> },
    #[error("{}: written by a newer version: its schema is {found}, this program knows {known}", path.display())]
    NewerSchema { path: PathBuf, found: Arc<str>, known: Arc<str> },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: Arc<io::Error> },
    #[error("the database is closed")]
    Closed,
    #[error(transparent)]
    Panicked(#[from] ThreadPanic),
}

impl BackendError {
    pub(crate) fn io(path: &Path, error: io::Error) -> BackendError {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BackendError::NoSpace(path),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                BackendError::Unwritable { path, source: Arc::new(error) }
            }
            // What redb says to a file that is not one of its own.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                BackendError::corrupt(&path, error.to_string())
            }
            _ => BackendError::Io { path, source: Arc::new(error) },
        }
    }

    pub(crate) fn corrupt(path: &Path, detail: impl Into<Arc<str>>) -> BackendError {
        BackendError::Corrupt { path: path.to_path_buf(), detail: detail.into() }
    }

    pub(crate) fn from_redb(path: &Path, error: impl Into<redb::Error>) -> BackendError {
        match error.into() {
            redb::Error::Io(error) => BackendError::io(path, error),
            redb::Error::DatabaseAlreadyOpen => BackendError::Locked(path.to_path_buf()),
            redb::Error::DatabaseClosed => BackendError::Closed,
            redb::Error::UpgradeRequired(format) => BackendError::corrupt(path, format!("file format {format}")),
            error => BackendError::corrupt(path, error.to_string()),
        }
    }
}
