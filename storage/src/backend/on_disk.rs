//! What is asked of the file system.

use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::path::Path;

use super::BackendError;

/// Keeps others from a file, redb among them, until it is closed.
pub(super) fn lock(path: &Path, file: &File) -> Result<(), BackendError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => BackendError::Locked(path.to_path_buf()),
        TryLockError::Error(error) => BackendError::io(path, error),
    })
}

/// Moves a complete file to its place; durable with [`sync_directory`].
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), BackendError> {
    std::fs::rename(from, to).map_err(|error| BackendError::io(to, error))
}

/// Makes the names in the directory of a file durable.
pub(super) fn sync_directory(of: &Path) -> Result<(), BackendError> {
    File::open(directory(of)).and_then(|dir| dir.sync_all()).map_err(|error| BackendError::io(of, error))
}

pub(super) fn directory(of: &Path) -> &Path {
    match of.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Tells a file from another that comes to have its name, where the system can.
pub(super) type Identity = (u64, u64);

pub(super) fn identity(path: &Path) -> Result<Identity, BackendError> {
    std::fs::metadata(path).map(|metadata| identity_of(&metadata)).map_err(|error| BackendError::io(path, error))
}

#[cfg(unix)]
pub(super) fn identity_of(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
pub(super) fn identity_of(_metadata: &Metadata) -> Identity {
    (0, 0)
}

/// Whether nobody can open the file any more: it is gone with whoever has it open.
#[cfg(unix)]
pub(super) fn is_nameless(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) == 0
}

#[cfg(not(unix))]
pub(super) fn is_nameless(_metadata: &Metadata) -> bool {
    false
}

/// What a file takes on the disk: redb makes it longer than it needs and leaves holes.
pub(super) fn allocated_bytes(path: &Path) -> io::Result<u64> {
    let metadata = std::fs::metadata(path)?;
    #[cfg(unix)]
    let bytes = std::os::unix::fs::MetadataExt::blocks(&metadata) * 512;
    #[cfg(not(unix))]
    let bytes = metadata.len();
    Ok(bytes)
}

#[cfg(unix)]
pub(super) fn restrict(options: &mut std::fs::OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(not(unix))]
pub(super) fn restrict(_options: &mut std::fs::OpenOptions) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_a_directory() {
        for (file, expected) in [("db", "."), ("./db", "."), ("some/db", "some"), ("/db", "/")] {
            assert_eq!(directory(Path::new(file)), Path::new(expected));
        }
        sync_directory(Path::new("db")).unwrap();
    }
}
