//! The member's directories.

use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::BootstrapError;
use crate::config::Config;
use crate::state::SnapshotFiles;

/// Only the member's user may look inside.
const MODE: u32 = 0o700;

/// Where things are.
#[derive(Clone, Debug)]
pub(super) struct DataDir {
    pub(super) wal: PathBuf,
    pub(super) database: PathBuf,
    /// States received from leaders.
    pub(super) snapshots: SnapshotFiles,
}

impl DataDir {
    /// Creates what is missing and makes sure that it can be written to.
    pub(super) fn prepare(config: &Config) -> Result<DataDir, BootstrapError> {
        let snap = config.snap_path();
        let dir = DataDir {
            wal: config.wal_path(),
            database: snap.join("db"),
            snapshots: SnapshotFiles::in_directory(&snap),
        };
        for path in [&config.data_dir, &snap, &dir.wal] {
            create(path)?;
            check_writable(path)?;
        }
        Ok(dir)
    }
}

fn create(path: &Path) -> Result<(), BootstrapError> {
    DirBuilder::new().recursive(true).mode(MODE).create(path).map_err(|source| BootstrapError::Io {
        path: path.to_owned(),
        action: "cannot create directory",
        source,
    })
}

fn check_writable(path: &Path) -> Result<(), BootstrapError> {
    let probe = path.join(".touch");
    let written = fs::File::create(&probe).and_then(|mut file| file.write_all(b"touch"));
    let written = written.and_then(|()| fs::remove_file(&probe));
    written.map_err(|source| BootstrapError::Io { path: path.to_owned(), action: "cannot write to directory", source })
}
