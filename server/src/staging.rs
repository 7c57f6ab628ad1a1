//! Directories that come into being under another name, and have their own once they are whole; and names that are durable.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use keyport_raft::wal::make_dir;
use parking_lot::Mutex;

/// What is not whole at the moment.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Says that a file or directory is not whole, until this is dropped.
#[derive(Debug)]
pub(crate) struct Unfinished(PathBuf);

impl Unfinished {
    pub(crate) fn note(path: &Path) -> Unfinished {
        UNFINISHED.lock().insert(path.to_owned());
        Unfinished(path.to_owned())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        UNFINISHED.lock().remove(&self.0);
    }
}

/// Takes away what is not whole, for a process that is about to end in the middle of its work.
pub fn remove_unfinished() {
    for path in std::mem::take(&mut *UNFINISHED.lock()) {
        // Nobody is there any more who could be told.
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
}

/// A directory that is not whole yet. Dropped before, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    /// Where it is until then.
    pub(crate) temporary: PathBuf,
    path: &'a Path,
    _unfinished: Unfinished,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(crate) struct StageError {
    path: PathBuf,
    source: io::Error,
}

impl<'a> Stage<'a> {
    /// Makes it, empty, with `ending` behind its name; what an earlier process left there is taken away.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn begin(path: &'a Path, ending: &str) -> Result<Stage<'a>, StageError> {
        let temporary = with_ending(path, ending);
        let stage = Stage { _unfinished: Unfinished::note(&temporary), temporary, path };
        match fs::remove_dir_all(&stage.temporary) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(stage.failed(source)),
            _ => Ok(()),
        }?;
        make_dir(&stage.temporary).map_err(|source| stage.failed(source))?;
        Ok(stage)
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn finish(self) -> Result<(), StageError> {
        let named = fs::rename(&self.temporary, self.path).and_then(|()| sync_name(self.path));
        named.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> StageError {
        StageError { path: self.temporary.clone(), source }
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // Nothing has this name any more if it was finished.
        let _ = fs::remove_dir_all(&self.temporary);
    }
}

/// The name of a file or directory that stands beside another one.
pub(crate) fn with_ending(path: &Path, ending: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    path.with_file_name(name)
}

/// Makes durable what a file or directory is called.
///
/// # Errors
/// When the disk fails.
pub(crate) fn sync_name(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_can_be_taken_away() {
        let place = tempfile::tempdir().unwrap();
        let (file, other) = (place.path().join("file"), place.path().join("other"));
        fs::write(&file, "").unwrap();
        fs::write(&other, "").unwrap();
        let noted = [Unfinished::note(&file), Unfinished::note(&other)];
        let [kept, finished] = noted;
        drop(finished);
        remove_unfinished();
        assert!(!file.exists() && other.exists());
        drop(kept);
    }

    #[test]
    fn a_directory_has_its_name_when_it_is_whole() {
        let place = tempfile::tempdir().unwrap();
        let (path, there) = (place.path().join("data"), place.path().join("data.making"));
        fs::create_dir(&there).unwrap();
        fs::write(there.join("left"), "").unwrap();
        let stage = Stage::begin(&path, ".making").unwrap();
        assert_eq!(fs::read_dir(&stage.temporary).unwrap().count(), 0);
        fs::write(stage.temporary.join("file"), "whole").unwrap();
        stage.finish().unwrap();
        assert!(!there.exists() && path.join("file").exists());
        drop(Stage::begin(&path, ".making").unwrap());
        assert!(!there.exists() && path.join("file").exists(), "what was given up leaves nothing, and takes nothing");
    }
}
