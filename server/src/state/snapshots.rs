//! The whole state on its way between members: read here, written there, put in place.
//!
//! What a leader sends is built as `<index>.snap.db` beside the database and is durable before Raft hears of it. Raft
//! records in the log that it continues from there, and then the file takes the database's place. If the process ends
//! in between, the next start finds the log ahead of the database, and the file that closes the gap.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyport_api::raftpb::SnapshotMetadata;
use keyport_raft::peers::{SnapshotRead, SnapshotStore, SnapshotWrite};
use keyport_storage::backend::Backend;

const SUFFIX: &str = ".snap.db";

/// Where snapshots come from and go to.
#[derive(Debug)]
pub(crate) struct Snapshots {
    backend: Arc<Backend>,
    files: SnapshotFiles,
}

impl Snapshots {
    pub(crate) fn new(backend: Arc<Backend>, files: SnapshotFiles) -> Snapshots {
        Snapshots { backend, files }
    }
}

impl SnapshotStore for Snapshots {
    fn read(&self) -> io::Result<Box<dyn SnapshotRead>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write(&self, _: &SnapshotMetadata) -> io::Result<Box<dyn SnapshotWrite>> {
        self.files.remove_up_to(self.backend.durable_applied().index)?;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The files of received snapshots.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFiles(PathBuf);

impl SnapshotFiles {
    pub(crate) fn in_directory(directory: &Path) -> SnapshotFiles {
        SnapshotFiles(directory.to_owned())
    }

    /// The file of the snapshot at `index`.
    pub(crate) fn path(&self, index: u64) -> PathBuf {
        self.0.join(format!("{index:016x}{SUFFIX}"))
    }

    /// Removes what nobody needs any more: snapshots no newer than the database, which is at `applied`.
    ///
    /// # Errors
    /// When the directory cannot be read or a file not be removed.
    pub(crate) fn remove_up_to(&self, applied: u64) -> io::Result<()> {
        for file in fs::read_dir(&self.0)? {
            let file = file?;
            let name = file.file_name();
            let index = name.to_str().and_then(|name| u64::from_str_radix(name.strip_suffix(SUFFIX)?, 16).ok());
            if index.is_some_and(|index| index <= applied) {
                fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }
}
