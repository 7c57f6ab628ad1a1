//! A file that comes into being under another name, its own with `.part` behind it, and has its own once it is whole and durable.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::staging::{Unfinished, sync_name, with_ending};

/// What follows the name until then.
pub(super) const SUFFIX: &str = ".part";

/// For the owner alone.
const PRIVATE: u32 = 0o600;

/// See the module's text. Dropped before, it leaves nothing.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    to: PathBuf,
    _unfinished: Option<Unfinished>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum PartError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: somebody else writes this backup", .0.display())]
    Busy(PathBuf),
}

impl Part {
    /// Nothing is made yet.
    pub(super) fn of(to: &Path) -> Part {
        Part { path: with_ending(to, SUFFIX), to: to.to_owned(), _unfinished: None }
    }

    /// With the file, empty and for its owner alone.
    ///
    /// # Errors
    /// When it cannot be made, or a process writes it.
    pub(super) fn create(to: &Path) -> Result<(Part, File), PartError> {
        if to.is_dir() {
            // Found out now, and not when it is whole.
            return Err(PartError::Io { path: to.to_owned(), source: io::ErrorKind::IsADirectory.into() });
        }
        let path = with_ending(to, SUFFIX);
        let failed = |source| PartError::Io { path: path.clone(), source };
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(PRIVATE);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PartError::Busy(path)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_permissions(Permissions::from_mode(PRIVATE)).and_then(|()| file.set_len(0)).map_err(failed)?;
        // Only now: what others write is not taken away from them.
        Ok((Part { _unfinished: Some(Unfinished::note(&path)), path, to: to.to_owned() }, file))
    }

    /// Gives it its name, in place of what has that, and returns it.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn finish(self) -> Result<PathBuf, PartError> {
        let synced = File::open(&self.path).and_then(|file| file.sync_all());
        let named = synced.and_then(|()| fs::rename(&self.path, &self.to)).and_then(|()| sync_name(&self.to));
        named.map_err(|source| self.failed(source))?;
        Ok(self.to.clone())
    }

    pub(super) fn failed(&self, source: io::Error) -> PartError {
        PartError::Io { path: self.path.clone(), source }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Nothing has this name any more if it was finished.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn it_has_its_name_when_it_is_whole_and_is_nobody_elses_to_write() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("backup.db");
        let there = dir.path().join("backup.db.part");
        fs::write(&there, "left behind").unwrap();
        let (part, mut file) = Part::create(&to).unwrap();
        assert!(matches!(Part::create(&to), Err(PartError::Busy(_))));
        assert_eq!(fs::metadata(&there).unwrap().permissions().mode() & 0o777, PRIVATE);
        file.write_all(b"whole").unwrap();
        part.finish().unwrap();
        assert!(!there.exists());
        assert_eq!(fs::read(&to).unwrap(), b"whole");
        drop(file);
        assert_eq!(
            Part::create(dir.path()).unwrap_err().to_string(),
            format!("{}: is a directory", dir.path().display())
        );
        drop(Part::create(&to).unwrap());
        assert!(!there.exists() && to.exists(), "what was given up leaves nothing, and takes nothing");
    }
}
