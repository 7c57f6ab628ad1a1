//! Directories that come into being under another name, and have their own once they are whole; and names that are durable.
//!
//! A directory that is there already stays what it is, which may be a place where another disk is mounted, or one whose parent
//! belongs to somebody else: it is filled from a directory inside of it.

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
    let all = std::mem::take(&mut *UNFINISHED.lock());
    all.iter().for_each(|path| remove(path));
}

fn remove(path: &Path) {
    // Nobody is there any more who could be told.
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// A directory that is not whole yet. Dropped before, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    /// Where it is until then.
    pub(crate) temporary: PathBuf,
    path: &'a Path,
    /// Whether the directory is there already, and is to get what is in this one.
    is_inside: bool,
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
    /// Whether there is nothing of that name, or a directory with nothing in it but what an earlier process left.
    pub(crate) fn is_free(path: &Path, ending: &str) -> bool {
        match fs::read_dir(path) {
            Ok(mut entries) => entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == ending)),
            // A link to nowhere is something.
            Err(_) => fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound),
        }
    }

    /// Makes it, empty, with `ending` behind its name, or called so inside of a directory that is there; what an earlier
    /// process left there is taken away.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn begin(path: &'a Path, ending: &str) -> Result<Stage<'a>, StageError> {
        let is_inside = path.is_dir();
        let temporary = if is_inside { path.join(ending) } else { with_ending(path, ending) };
        let stage = Stage { _unfinished: Unfinished::note(&temporary), temporary, path, is_inside };
        match fs::remove_dir_all(&stage.temporary) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(stage.failed(source)),
            _ => Ok(()),
        }?;
        make_dir(&stage.temporary).map_err(|source| stage.failed(source))?;
        Ok(stage)
    }

    /// Gives it its name. Of a directory that was there, each entry gets its own, one after the other.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn finish(self) -> Result<(), StageError> {
        let named = match self.is_inside {
            true => self.empty_into(self.path),
            false => fs::rename(&self.temporary, self.path).and_then(|()| sync_name(self.path)),
        };
        named.map_err(|source| self.failed(source))
    }

    fn empty_into(&self, directory: &Path) -> io::Result<()> {
        for entry in fs::read_dir(&self.temporary)? {
            let entry = entry?;
            fs::rename(entry.path(), directory.join(entry.file_name()))?;
        }
        fs::remove_dir(&self.temporary)?;
        File::open(directory)?.sync_all()
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
        let (file, directory) = (place.path().join("file"), place.path().join("directory"));
        fs::write(&file, "").unwrap();
        fs::create_dir_all(directory.join("inside")).unwrap();
        // Not all at once: other tests have things of theirs that are not whole.
        let is_noted = |path: &PathBuf| UNFINISHED.lock().contains(path);
        let [kept, finished] = [&file, &directory].map(|path| Unfinished::note(path));
        drop(finished);
        assert!(is_noted(&file) && !is_noted(&directory));
        [&file, &directory].iter().for_each(|path| remove(path));
        assert!(!file.exists() && !directory.exists());
        drop(kept);
        assert!(!is_noted(&file));
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
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_is_there_is_filled() {
        let place = tempfile::tempdir().unwrap();
        let (path, link) = (place.path().join("data"), place.path().join("link"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(Stage::is_free(&path, ".making") && !Stage::is_free(&link, ".making"), "a link to nowhere");
        fs::create_dir(&path).unwrap();
        assert!(Stage::is_free(&link, ".making"));
        // As a process that was killed leaves it.
        fs::create_dir_all(path.join(".making/member")).unwrap();
        assert!(Stage::is_free(&link, ".making") && !Stage::is_free(&link, ".other"));
        let stage = Stage::begin(&link, ".making").unwrap();
        fs::create_dir(stage.temporary.join("member")).unwrap();
        stage.finish().unwrap();
        let names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["member"]);
        assert!(!Stage::is_free(&path, ".making"));
        let file = path.join("file");
        fs::write(&file, "").unwrap();
        assert!(!Stage::is_free(&file, ".making"));
    }
}
