//! The end of a log file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Nothing before this is looked at.
const MOST_BYTES: u64 = 8 << 20;

/// Its last lines, so many at most.
///
/// # Errors
/// When it cannot be read.
pub(super) fn last_lines(path: &Path, lines: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let from = len.saturating_sub(MOST_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().skip(usize::from(from > 0)).collect();
    let last = all.get(all.len().saturating_sub(lines)..).unwrap_or_default();
    Ok(last.iter().flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "a\nb\nc").unwrap();
        assert_eq!(last_lines(&path, 2).unwrap(), "b\nc\n");
        assert_eq!(last_lines(&path, 9).unwrap(), "a\nb\nc\n");
        let line = "x".repeat(1 << 20) + "\n";
        std::fs::write(&path, line.repeat(10)).unwrap();
        let found = last_lines(&path, 100).unwrap();
        assert!(found.lines().all(|found| found.len() == 1 << 20) && found.lines().count() == 7);
        assert!(last_lines(&dir.path().join("none"), 1).is_err());
    }
}
