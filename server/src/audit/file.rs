//! The file of the log. Whoever rotates it moves it away, and a new one takes its place.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Readable for its owner alone: it says who may do what.
const MODE: u32 = 0o600;

/// See the module's text.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<LogFile> {
        Ok(LogFile { path: path.to_owned(), file: open(path)? })
    }

    /// Appends whole lines.
    ///
    /// # Errors
    /// When they are not all in the file.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if !self.is_in_place() {
            self.file = open(&self.path)?;
        }
        self.file.write_all(lines)
    }

    fn is_in_place(&self) -> bool {
        let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let there = std::fs::metadata(&self.path).map(place).ok();
        there.is_some() && there == self.file.metadata().map(place).ok()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_that_was_moved_away_has_a_successor() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("audit"), dir.path().join("audit.1"));
        let mut file = LogFile::open(&path).unwrap();
        file.write(b"a\n").unwrap();
        fs::rename(&path, &moved).unwrap();
        file.write(b"b\n").unwrap();
        file.write(b"c\n").unwrap();
        assert_eq!((fs::read(&moved).unwrap(), fs::read(&path).unwrap()), (b"a\n".to_vec(), b"b\nc\n".to_vec()));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        LogFile::open(&path).unwrap().write(b"d\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"b\nc\nd\n");
    }
}
