//! The backups of one member in a directory, by their names: others may have theirs there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use time::OffsetDateTime;

use super::super::part::{Part, SUFFIX};

const EXTENSION: &str = ".db";

/// See the module's text.
#[derive(Clone, Debug)]
pub(super) struct Files {
    dir: PathBuf,
    /// What the names begin with.
    prefix: String,
}

/// A backup that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct There {
    pub(super) path: PathBuf,
    pub(super) made: SystemTime,
    pub(super) bytes: u64,
}

/// Whether something can be written there.
pub(super) fn probe(dir: &Path) -> io::Result<()> {
    let probe = dir.join(format!(".touch.{}", std::process::id()));
    File::create(&probe).and_then(|_| fs::remove_file(&probe))
}

impl Files {
    pub(super) fn of(dir: &Path, member: u64) -> Files {
        Files { dir: dir.to_owned(), prefix: format!("keyport-{member:x}-") }
    }

    /// One that is to be made. By their names they are in order.
    pub(super) fn next(&self) -> Part {
        let now = OffsetDateTime::now_utc();
        let (date, time) = (now.date(), now.time());
        let day = format!("{}{:02}{:02}", date.year(), u8::from(date.month()), date.day());
        // To the millisecond: what is made right after another one must not take its name.
        let time = format!("{:02}{:02}{:02}{:03}", time.hour(), time.minute(), time.second(), time.millisecond());
        Part::of(&self.dir.join(format!("{}{day}-{time}{EXTENSION}", self.prefix)))
    }

    pub(super) fn newest(&self) -> Option<There> {
        self.named(EXTENSION).into_iter().rev().find_map(|path| {
            let metadata = fs::metadata(&path).ok()?;
            Some(There { made: metadata.modified().ok()?, bytes: metadata.len(), path })
        })
    }

    /// Takes away what is older than so many. What cannot be taken away is told.
    pub(super) fn keep_newest(&self, count: usize) {
        let all = self.named(EXTENSION);
        all.iter().rev().skip(count).for_each(|path| remove(path, "removed an old backup"));
    }

    /// Takes away what a process that is gone has left half made.
    pub(super) fn clean_up(&self) {
        let left = self.named(&format!("{EXTENSION}{SUFFIX}"));
        left.iter().for_each(|path| remove(path, "removed a backup that was not finished"));
    }

    /// The oldest first.
    fn named(&self, ending: &str) -> Vec<PathBuf> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(%error, dir = %self.dir.display(), "cannot look at the backups");
                return Vec::new();
            }
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| self.is_ours(name, ending)).collect();
        names.sort_unstable();
        names.into_iter().map(|name| self.dir.join(name)).collect()
    }

    /// Between prefix and ending there is nothing but the time: whoever copies or renames one takes it for himself.
    fn is_ours(&self, name: &str, ending: &str) -> bool {
        let time = name.strip_prefix(&self.prefix).and_then(|rest| rest.strip_suffix(ending));
        time.is_some_and(|time| time.len() == 18 && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
    }
}

fn remove(path: &Path, done: &str) {
    let file = path.display();
    match fs::remove_file(path) {
        Ok(()) => tracing::info!(%file, "{done}"),
        Err(error) => tracing::warn!(%file, %error, "cannot remove a backup"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_its_own_and_keeps_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let (files, others) = (Files::of(dir.path(), 0xa), Files::of(dir.path(), 0xab));
        assert_eq!(files.newest(), None);
        let put = |name: &str, bytes: usize| fs::write(dir.path().join(name), vec![0; bytes]).unwrap();
        for (name, bytes) in [
            ("keyport-a-20250101-000002000.db", 2),
            ("keyport-a-20250101-000001000.db", 1),
            ("keyport-a-20250101-000003000.db", 3),
            ("keyport-a-20250101-000004000.db.part", 4),
            ("keyport-ab-20250101-000009000.db", 9),
            ("keyport-a-20250101-000001000-copy.db", 5),
            ("keyport-a-before-the-move.db", 5),
            ("notes", 5),
        ] {
            put(name, bytes);
        }
        let newest = files.newest().unwrap();
        assert_eq!((newest.path, newest.bytes), (dir.path().join("keyport-a-20250101-000003000.db"), 3));
        files.clean_up();
        files.keep_newest(2);
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(
            left,
            [
                "keyport-a-20250101-000001000-copy.db",
                "keyport-a-20250101-000002000.db",
                "keyport-a-20250101-000003000.db",
                "keyport-a-before-the-move.db",
                "keyport-ab-20250101-000009000.db",
                "notes"
            ]
        );
        assert_eq!(others.newest().unwrap().bytes, 9);
        let next = files.next();
        let name = next.path.file_name().unwrap().to_str().unwrap();
        assert!(files.is_ours(name.strip_suffix(SUFFIX).unwrap(), EXTENSION), "{name}");
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        probe(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        probe(&dir.path().join("none")).unwrap_err();
    }
}
