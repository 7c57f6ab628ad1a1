//! The member's directories.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keyport_raft::wal::make_dir;

use super::BootstrapError;
use crate::config::Config;
use crate::state::SnapshotFiles;

/// For the owner alone.
const PRIVATE: u32 = 0o700;

/// Where things are.
#[derive(Clone, Debug)]
pub(super) struct DataDir {
    pub(super) wal: PathBuf,
    pub(super) database: PathBuf,
    /// States received from leaders.
    pub(super) snapshots: SnapshotFiles,
}

impl DataDir {
    /// Creates what is missing, durably, and makes sure that it can be written to.
    pub(super) fn prepare(config: &Config) -> Result<DataDir, BootstrapError> {
        let snap = config.snap_path();
        let dir = DataDir {
            wal: config.wal_path(),
            database: snap.join("db"),
            snapshots: SnapshotFiles::in_directory(&snap),
        };
        // Each from the one above it on, so that a name that an earlier process made is durable as well.
        for path in [&config.data_dir, &config.member_dir(), &snap, &dir.wal] {
            create(path)?;
            check_private(path)?;
            check_writable(path)?;
        }
        Ok(dir)
    }
}

fn create(path: &Path) -> Result<(), BootstrapError> {
    make_dir(path).map_err(|source| BootstrapError::Io {
        path: path.to_owned(),
        action: "cannot create directory",
        source,
    })
}

/// Whoever set the permissions may have meant them: others than the owner are worth a warning, no more.
fn check_private(path: &Path) -> Result<(), BootstrapError> {
    let metadata = fs::metadata(path);
    let metadata = metadata.map_err(|source| BootstrapError::Io {
        path: path.to_owned(),
        action: "cannot look at directory",
        source,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & !PRIVATE != 0 {
        tracing::warn!(
            error = format!(
                "directory {path:?} exists with the permission {mode:04o}: others may reach the data; {PRIVATE:04o} is recommended"
            ),
            "check file permission"
        );
    }
    Ok(())
}

fn check_writable(path: &Path) -> Result<(), BootstrapError> {
    let probe = path.join(".touch");
    let written = fs::File::create(&probe).and_then(|mut file| file.write_all(b"touch"));
    let written = written.and_then(|()| fs::remove_file(&probe));
    written.map_err(|source| BootstrapError::Io { path: path.to_owned(), action: "cannot write to directory", source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::tests::config;

    #[test]
    fn everything_is_made_for_the_user_alone_and_may_be_there_already() {
        let root = tempfile::tempdir().unwrap();
        let (data, wal) = (root.path().join("above/data"), root.path().join("elsewhere/wal"));
        let config = config(&["--data-dir", data.to_str().unwrap(), "--wal-dir", wal.to_str().unwrap()]);
        for _ in 0..2 {
            let dir = DataDir::prepare(&config).unwrap();
            assert_eq!((&dir.wal, &dir.database), (&wal, &data.join("member/snap/db")));
            for path in [&data, &data.join("member"), &data.join("member/snap"), &wal] {
                assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
                assert_eq!(
                    fs::read_dir(path).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count(),
                    0
                );
            }
        }
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let config = config(&["--data-dir", file.to_str().unwrap()]);
        let error = DataDir::prepare(&config).unwrap_err().to_string();
        assert!(error.contains("cannot create directory"), "{error}");
    }
}
