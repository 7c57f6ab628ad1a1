//! A log file that is moved aside when it is full (`--enable-log-rotation`), and what becomes of those that were.
//!
//! Names, bounds and order are lumberjack's, which etcd uses: `etcd.log` becomes `etcd-2026-01-02T15-04-05.000.log`, and with
//! `compress` that with `.gz` behind it. Old files are removed and packed by a thread of their own: nobody who logs waits for that.
//! A line is never cut and never left out: one that is larger than a file may be has a file to itself.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use parking_lot::Mutex;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset};

use super::LogError;
use crate::config::Rotation;

const STAMP: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]-[minute]-[second].[subsecond digits:3]");
const PACKED: &str = "gz";
/// Of a file that is being packed. What a process leaves of one when it ends is overwritten by the next.
const PACKING: &str = "gz.part";

/// See the module's text.
#[derive(Debug)]
pub(super) struct Rotated {
    names: Names,
    max_bytes: u64,
    open: Mutex<Open>,
    /// Tells the thread that looks after old files of another one.
    moved: SyncSender<()>,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
}

/// How old files are called.
#[derive(Clone, Debug)]
struct Names {
    path: PathBuf,
    zone: UtcOffset,
}

impl Rotated {
    pub(super) fn open(path: &Path, rotation: &Rotation) -> Result<Rotated, LogError> {
        let zone = match rotation.local_time {
            true => UtcOffset::current_local_offset().map_err(LogError::Zone)?,
            false => UtcOffset::UTC,
        };
        let names = Names { path: path.to_owned(), zone };
        let failed = |source| LogError::Open { path: path.to_owned(), source };
        let file = append(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let (moved, told) = sync_channel(1);
        let keeper = Keeper { names: names.clone(), rotation: rotation.clone() };
        thread::Builder::new().name("keyport-log".to_owned()).spawn(move || keeper.run(&told)).map_err(failed)?;
        let rotated = Rotated { names, max_bytes: rotation.max_bytes, open: Mutex::new(Open { file, size }), moved };
        rotated.tell();
        Ok(rotated)
    }

    /// Appends a whole line, to a new file if it does not fit the present one.
    ///
    /// # Errors
    /// When it is not all in the file.
    pub(super) fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut open = self.open.lock();
        let bytes = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if open.size > 0 && open.size.saturating_add(bytes) > self.max_bytes {
            // What cannot be moved grows on, and is tried again when there is as much once more.
            open.size = 0;
            if let Ok(file) = self.rotate() {
                open.file = file;
            }
        }
        open.file.write_all(line)?;
        open.size += bytes;
        Ok(())
    }

    fn rotate(&self) -> io::Result<File> {
        let mut now = OffsetDateTime::now_utc().to_offset(self.names.zone);
        // Two may be full within the same millisecond.
        while self.names.old(now).exists() {
            now += Duration::MILLISECOND;
        }
        fs::rename(&self.names.path, self.names.old(now))?;
        self.tell();
        append(&self.names.path)
    }

    fn tell(&self) {
        // If it has been told already, it has not looked yet.
        let _ = self.moved.try_send(());
    }
}

/// Others may read what is in it no more than what is in the audit log.
fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

impl Names {
    /// What comes before and after the time.
    fn parts(&self) -> (String, String) {
        let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
        let after = part(self.path.extension()).map(|ending| format!(".{ending}")).unwrap_or_default();
        (format!("{}-", part(self.path.file_stem()).unwrap_or_default()), after)
    }

    fn old(&self, now: OffsetDateTime) -> PathBuf {
        let (before, after) = self.parts();
        let stamp = now.format(STAMP).unwrap_or_default();
        self.path.with_file_name(format!("{before}{stamp}{after}"))
    }

    /// When a file was moved aside, and whether it is packed; `None` for all others.
    fn read(&self, name: &str) -> Option<(PrimitiveDateTime, bool)> {
        let (before, after) = self.parts();
        let (name, packed) = name
            .strip_suffix(PACKED)
            .and_then(|name| name.strip_suffix('.'))
            .map_or((name, false), |name| (name, true));
        let stamp = name.strip_prefix(&before)?.strip_suffix(&after)?;
        Some((PrimitiveDateTime::parse(stamp, STAMP).ok()?, packed))
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }
}

/// Looks after old files.
struct Keeper {
    names: Names,
    rotation: Rotation,
}

/// A file that was moved aside.
struct Old {
    path: PathBuf,
    moved: PrimitiveDateTime,
    packed: bool,
}

impl Keeper {
    fn run(&self, told: &Receiver<()>) {
        while told.recv().is_ok() {
            // It tells nobody of failures: the log is the place for that. The next time it tries again.
            let _ = self.tidy(OffsetDateTime::now_utc().to_offset(self.names.zone));
        }
    }

    /// Removes what is too old or too much, and packs the rest.
    fn tidy(&self, now: OffsetDateTime) -> io::Result<()> {
        let mut old = self.old()?;
        old.sort_by_key(|old| std::cmp::Reverse(old.moved));
        let now = PrimitiveDateTime::new(now.date(), now.time());
        let Rotation { max_backups, max_age, compress, .. } = self.rotation;
        for (place, Old { path, moved, packed }) in old.into_iter().enumerate() {
            let too_many = max_backups > 0 && place >= max_backups;
            if too_many || max_age.is_some_and(|age| moved + age < now) {
                fs::remove_file(path)?;
            } else if compress && !packed {
                pack(&path)?;
            }
        }
        Ok(())
    }

    fn old(&self) -> io::Result<Vec<Old>> {
        let mut old = Vec::new();
        for entry in fs::read_dir(self.names.folder())? {
            let entry = entry?;
            if let Some((moved, packed)) = entry.file_name().to_str().and_then(|name| self.names.read(name)) {
                old.push(Old { path: entry.path(), moved, packed });
            }
        }
        Ok(old)
    }
}

fn pack(path: &Path) -> io::Result<()> {
    let part = path.with_added_extension(PACKING);
    let target = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    let mut packer = GzEncoder::new(target, Compression::default());
    io::copy(&mut File::open(path)?, &mut packer)?;
    packer.finish()?.sync_all()?;
    fs::rename(part, path.with_added_extension(PACKED))?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use time::macros::datetime;

    use super::*;

    fn rotation(json: &str) -> Rotation {
        Rotation::parse(json).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(dir).unwrap().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_full_file_is_moved_aside_and_no_line_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k.log");
        fs::write(&path, "before\n").unwrap();
        let rotated = Rotated::open(&path, &Rotation { max_bytes: 12, ..rotation("{}") }).unwrap();
        rotated.write(b"1234\n").unwrap();
        assert_eq!(names(dir.path()), ["k.log"]);
        rotated.write(b"a line that is larger than a file\n").unwrap();
        rotated.write(b"x\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "x\n");
        let old = names(dir.path());
        let text = |name: &String| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(old.len(), 3, "{old:?}");
        assert_eq!([&old[0], &old[1]].map(text), ["before\n1234\n", "a line that is larger than a file\n"]);
    }

    #[test]
    fn what_is_old_is_removed_or_packed_and_nothing_else_touched() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(dir.path().join(name), name).unwrap();
        let others = ["k.log", "k-notes.log", "k-2026-01-02T15-04-05.000.txt", "other-2026-01-02T15-04-05.000.log"];
        others.iter().copied().for_each(put);
        for day in ["01", "02", "03", "04"] {
            put(&format!("k-2026-01-{day}T15-04-05.000.log"));
        }
        let keep = |json: &str| {
            let names = Names { path: dir.path().join("k.log"), zone: UtcOffset::UTC };
            Keeper { names, rotation: rotation(json) }.tidy(datetime!(2026-01-05 15:04:05 UTC)).unwrap();
        };
        let old = || names(dir.path()).into_iter().filter(|name| !others.contains(&name.as_str())).collect::<Vec<_>>();
        keep(r#"{"maxage": 3}"#);
        assert_eq!(old(), ["02", "03", "04"].map(|day| format!("k-2026-01-{day}T15-04-05.000.log")));
        keep(r#"{"maxbackups": 2, "compress": true}"#);
        assert_eq!(old(), ["03", "04"].map(|day| format!("k-2026-01-{day}T15-04-05.000.log.gz")));
        let mut text = String::new();
        let packed = File::open(dir.path().join("k-2026-01-03T15-04-05.000.log.gz")).unwrap();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
        assert_eq!(text, "k-2026-01-03T15-04-05.000.log");
        keep(r#"{"maxbackups": 1}"#);
        assert_eq!(old(), ["k-2026-01-04T15-04-05.000.log.gz"]);
        assert_eq!(names(dir.path()).len(), 1 + others.len());
    }

    #[test]
    fn what_cannot_be_moved_is_written_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k.log");
        let rotated = Rotated::open(&path, &Rotation { max_bytes: 4, ..rotation("{}") }).unwrap();
        rotated.write(b"one\n").unwrap();
        fs::remove_file(&path).unwrap();
        rotated.write(b"two\n").unwrap();
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }
}
