//! The file of the log. Whoever rotates it moves it away, and a new one takes its place.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
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
    /// When they are not all in the file: those that are not were the last, and nothing of them is.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        let lost = |error| Unwritten { error, lines: count(lines) };
        if !self.is_in_place() {
            self.file = open(&self.path).map_err(lost)?;
        }
        append(&mut self.file, lines)
    }

    fn is_in_place(&self) -> bool {
        let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let there = std::fs::metadata(&self.path).map(place).ok();
        there.is_some() && there == self.file.metadata().map(place).ok()
    }
}

/// Some lines are not in the file.
#[derive(Debug)]
pub(super) struct Unwritten {
    pub(super) error: io::Error,
    pub(super) lines: u64,
}

/// What a file of lines has to be able to do.
trait Appended: Write {
    /// How long it is.
    fn length(&self) -> io::Result<u64>;
    /// Cuts it to this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Appended for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// As [`LogFile::write`]: a disk that is full takes half a line, which the next one would make worthless, too.
fn append(file: &mut impl Appended, lines: &[u8]) -> Result<(), Unwritten> {
    let mut written = 0;
    let error = loop {
        let rest = lines.get(written..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        match file.write(rest) {
            Ok(0) => break io::ErrorKind::WriteZero.into(),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break error,
        }
    };
    let taken = lines.get(..written).unwrap_or_default();
    let whole = taken.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let half = (written - whole) as u64;
    // If not even that can be done, the half stays, and a reader has to pass over it.
    if half > 0
        && let Err(error) = file.length().and_then(|length| file.cut(length.saturating_sub(half)))
    {
        tracing::error!(%error, "cannot take half a line out of the audit log");
    }
    Err(Unwritten { error, lines: count(lines.get(whole..).unwrap_or_default()) })
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Half a line, of a process or a machine that ended in the middle of it, gets an end.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
    if !ends_with_a_line(path).unwrap_or(true) {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// A pipe, say, has no end, and cannot be asked.
fn ends_with_a_line(path: &Path) -> io::Result<bool> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(true);
    }
    let file = File::open(path)?;
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
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

    /// Takes so many bytes and no more.
    struct Full {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let some = bytes.len().min(self.room - self.taken.len()).min(3);
            if some == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.taken.extend(&bytes[..some]);
            Ok(some)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Appended for Full {
        fn length(&self) -> io::Result<u64> {
            Ok(self.taken.len() as u64)
        }

        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.taken.truncate(usize::try_from(length).unwrap());
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_has_no_half_lines() {
        for room in 0..20 {
            let mut file = Full { taken: Vec::new(), room };
            let lost = append(&mut file, b"aaaa\nbbbb\ncccc\n").map_or_else(|unwritten| unwritten.lines, |()| 0);
            let whole = room / 5;
            assert_eq!((lost, file.taken.len()), (3_u64.saturating_sub(whole as u64), 15.min(whole * 5)), "{room}");
            // There is room again.
            file.room = 100;
            append(&mut file, b"d\n").unwrap();
            assert!(file.taken.split(|byte| *byte == b'\n').all(|line| matches!(line.len(), 0 | 1 | 4)), "{room}");
        }
    }

    #[test]
    fn half_a_line_that_was_left_is_one_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        fs::write(&path, "a\nhal").unwrap();
        LogFile::open(&path).unwrap().write(b"b\n").unwrap();
        LogFile::open(&path).unwrap().write(b"c\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\nhal\nb\nc\n");
    }
}
