//! Where things are in a data directory.

use std::path::PathBuf;

use crate::state::SnapshotFiles;

/// As it is typed.
#[derive(Debug, clap::Args)]
pub(super) struct Directory {
    /// The data directory of a member that is stopped, a Keyport or an etcd
    pub(super) data_dir: PathBuf,
    /// Where its write-ahead log is, if not in the data directory
    #[arg(long)]
    pub(super) wal_dir: Option<PathBuf>,
}

impl Directory {
    pub(super) fn database(&self) -> PathBuf {
        self.data_dir.join("member/snap/db")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.wal_dir.clone().unwrap_or_else(|| self.data_dir.join("member/wal"))
    }

    /// States that a leader sent and that are not in place yet.
    pub(super) fn received(&self) -> SnapshotFiles {
        SnapshotFiles::in_directory(&self.data_dir.join("member/snap"))
    }
}
