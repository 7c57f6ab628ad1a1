//! A `.tar.gz` that has its name once it is whole and durable, and never takes that of another file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::staging::{Unfinished, sync_name, with_ending};

/// For the owner alone.
const PRIVATE: u32 = 0o600;
const BLOCK_BYTES: usize = 512;

/// See the module's text. Dropped before it is finished, it leaves nothing.
#[derive(Debug)]
pub(super) struct Archive {
    to: PathBuf,
    part: PathBuf,
    folder: String,
    /// Seconds of Unix time.
    now: u64,
    out: Option<GzEncoder<BufWriter<File>>>,
    names: Vec<String>,
    _unfinished: Unfinished,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArchiveError {
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Archive {
    /// Begins one, whose files will be in a folder of that name.
    ///
    /// # Errors
    /// When there is such a file, or none can be made.
    pub(super) fn create(to: &Path, folder: &str, now: u64) -> Result<Archive, ArchiveError> {
        if to.symlink_metadata().is_ok() {
            return Err(ArchiveError::Exists(to.to_owned()));
        }
        let part = with_ending(to, format!(".{}.part", std::process::id()));
        let file = File::options().write(true).create(true).truncate(true).mode(PRIVATE).open(&part);
        let file = file.map_err(|source| ArchiveError::Io { path: part.clone(), source })?;
        let out = Some(GzEncoder::new(BufWriter::new(file), Compression::default()));
        let _unfinished = Unfinished::note(&part);
        Ok(Archive { to: to.to_owned(), part, folder: folder.to_owned(), now, out, names: Vec::new(), _unfinished })
    }

    /// # Errors
    /// When it cannot be written.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> Result<(), ArchiveError> {
        let header = header(&format!("{}/{name}", self.folder), content.len(), self.now);
        let padding = content.len().next_multiple_of(BLOCK_BYTES) - content.len();
        self.write(&[&header[..], content, vec![0; padding].as_slice()])?;
        self.names.push(name.to_owned());
        Ok(())
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), ArchiveError> {
        let Some(out) = &mut self.out else { return Ok(()) };
        let written = parts.iter().try_for_each(|part| out.write_all(part));
        written.map_err(|source| ArchiveError::Io { path: self.part.clone(), source })
    }

    /// Gives it its name; what is in it.
    ///
    /// # Errors
    /// When it cannot be written, or somebody was faster.
    pub(super) fn finish(mut self) -> Result<Vec<String>, ArchiveError> {
        // Two blocks of zeros are the end.
        self.write(&[&[0; 2 * BLOCK_BYTES]])?;
        let failed = |source| ArchiveError::Io { path: self.to.clone(), source };
        let Some(out) = self.out.take() else { return Ok(Vec::new()) };
        let file = out.finish().and_then(|buffer| buffer.into_inner().map_err(io::Error::from));
        file.and_then(|file| file.sync_all()).map_err(failed)?;
        match renameat_with(CWD, &self.part, CWD, &self.to, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => return Err(ArchiveError::Exists(self.to.clone())),
            Err(error) => return Err(failed(error.into())),
        }
        sync_name(&self.to).map_err(failed)?;
        Ok(std::mem::take(&mut self.names))
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // Nothing has this name any more if it was finished.
        let _ = std::fs::remove_file(&self.part);
    }
}

/// As POSIX has it (`ustar`).
fn header(name: &str, len: usize, now: u64) -> [u8; BLOCK_BYTES] {
    let mut header = [0; BLOCK_BYTES];
    let mut put = |at: usize, text: &[u8]| {
        if let Some(place) = header.get_mut(at..at + text.len()) {
            place.copy_from_slice(text);
        }
    };
    put(0, name.as_bytes().get(..100).unwrap_or(name.as_bytes()));
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{len:011o}\0").as_bytes());
    put(136, format!("{now:011o}\0").as_bytes());
    // The sum counts itself as spaces.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(place) = header.get_mut(148..156) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_its_name_when_it_is_whole_and_takes_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("a.tar.gz");
        let count = || std::fs::read_dir(dir.path()).unwrap().count();
        drop(Archive::create(&to, "a", 1).unwrap());
        assert_eq!(count(), 0, "what was given up leaves nothing");
        let mut archive = Archive::create(&to, "a", 1).unwrap();
        archive.add("x", b"content").unwrap();
        assert!(!to.exists());
        assert_eq!(archive.finish().unwrap(), ["x"]);
        let whole = std::fs::read(&to).unwrap();
        assert!(matches!(Archive::create(&to, "a", 1), Err(ArchiveError::Exists(_))));
        // Somebody was faster.
        let other = dir.path().join("b.tar.gz");
        let archive = Archive::create(&other, "b", 1).unwrap();
        std::fs::write(&other, "theirs").unwrap();
        assert!(matches!(archive.finish(), Err(ArchiveError::Exists(_))));
        assert_eq!((std::fs::read(&other).unwrap(), std::fs::read(&to).unwrap()), (b"theirs".to_vec(), whole));
        assert_eq!(count(), 2);
    }
}
