//! The file that a backup is: a bbolt file and, if it came from a server, the SHA-256 of it; or a copy of a member's own database,
//! which is read as the bbolt file that the member would have made of it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use keyport_storage::backend::{BackendError, Snapshot, export, is_native};
use keyport_storage::bbolt::{Counted, ReadAt, ReadError, Reader};
use sha2::{Digest, Sha256};

use crate::bulk::Pace;
use crate::command_line::Progress;

const DIGEST_BYTES: usize = 32;
/// Pages are of a multiple of this; what is left is a digest.
const SECTOR_BYTES: u64 = 512;
/// Read at once.
const PIECE_BYTES: usize = 64 << 10;

/// See the module's text.
#[derive(Debug)]
pub(super) struct BackupFile {
    pub(super) path: PathBuf,
    source: Source,
    /// Without the digest.
    bytes: u64,
    has_digest: bool,
    manner: Manner,
}

/// What is read.
#[derive(Debug)]
pub(super) enum Source {
    File(File),
    /// Of a member's own database. It has no name, and ends with this.
    Export(Snapshot),
}

impl ReadAt for Source {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Source::File(file) => ReadAt::read_exact_at(file, buffer, offset),
            Source::Export(snapshot) => snapshot.read_exact_at(buffer, offset),
        }
    }

    fn size(&self) -> io::Result<u64> {
        match self {
            Source::File(file) => ReadAt::size(file),
            Source::Export(snapshot) => snapshot.size(),
        }
    }
}

/// How it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// By a command: whoever looks on sees how far it is.
    Shown,
    /// By a server: what it says is read by nobody, and its work comes first.
    Paced,
}

/// How far it is read, and what that means to others.
struct Course {
    what: &'static str,
    /// Bytes that were read, of so many.
    done: u64,
    all: u64,
    progress: Option<Progress>,
    pace: Option<Pace>,
}

impl Course {
    fn step(&mut self, bytes: usize) {
        self.done = self.done.saturating_add(bytes as u64);
        if let Some(progress) = &mut self.progress {
            // A few pages are read twice.
            progress.show(self.what, self.done.min(self.all), self.all);
        }
        if let Some(pace) = &mut self.pace {
            pace.step();
        }
    }
}

/// Why a backup is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Damaged { path: PathBuf, source: ReadError },
    #[error("snapshot missing hash but --skip-hash-check=false: {} was not saved by a server, or is cut off", .0.display())]
    NoDigest(PathBuf),
    #[error(transparent)]
    Native(#[from] BackendError),
    #[error("expected sha256 {expected}, got {found}: {} is damaged", path.display())]
    Digest { path: PathBuf, expected: String, found: String },
}

impl BackupFile {
    /// `work` is a name that nobody has, where there is room for a copy of a member's own database.
    ///
    /// # Errors
    /// When there is none, or it cannot be read; what is wrong with a member's own database.
    pub(super) fn open(path: &Path, work: &Path, manner: Manner) -> Result<BackupFile, FileError> {
        let failed = |source| FileError::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        if is_native(&mut file).map_err(failed)? {
            let snapshot = export(path, work)?;
            let bytes = snapshot.len();
            return Ok(BackupFile {
                path: path.to_owned(),
                source: Source::Export(snapshot),
                bytes,
                has_digest: false,
                manner,
            });
        }
        let all = file.metadata().map_err(failed)?.len();
        let digest = DIGEST_BYTES as u64;
        let has_digest = all % SECTOR_BYTES == digest;
        let bytes = if has_digest { all - digest } else { all };
        Ok(BackupFile { path: path.to_owned(), source: Source::File(file), bytes, has_digest, manner })
    }

    /// # Errors
    /// When it is not what was sent.
    pub(super) fn check_digest(&self) -> Result<(), FileError> {
        if !self.has_digest {
            return Err(FileError::NoDigest(self.path.clone()));
        }
        let mut expected = [0; DIGEST_BYTES];
        self.read_at(&mut expected, self.bytes)?;
        let mut digest = Sha256::new();
        let mut piece = vec![0; PIECE_BYTES];
        let (mut at, mut course) = (0, self.course("checking"));
        while at < self.bytes {
            let left = usize::try_from(self.bytes - at).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
            let piece = piece.get_mut(..left).unwrap_or_default();
            self.read_at(piece, at)?;
            digest.update(&*piece);
            at += left as u64;
            course.step(left);
        }
        let found = digest.finalize();
        if found[..] == expected {
            return Ok(());
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Err(FileError::Digest { path: self.path.clone(), expected: hex(&expected), found: hex(&found) })
    }

    /// # Errors
    /// When it is no bbolt file, or is damaged where that shows at once.
    pub(super) fn reader(&self) -> Result<Reader<impl ReadAt + '_>, FileError> {
        let mut course = self.course("reading");
        let source = Counted::new(&self.source, move |bytes| course.step(bytes));
        Reader::open(source).map_err(|error| self.damaged(error))
    }

    fn course(&self, what: &'static str) -> Course {
        let (progress, pace) = match self.manner {
            Manner::Shown => (Some(Progress::new()), None),
            Manner::Paced => (None, Some(Pace::begin())),
        };
        Course { what, done: 0, all: self.bytes, progress, pace }
    }

    pub(super) fn damaged(&self, source: ReadError) -> FileError {
        FileError::Damaged { path: self.path.clone(), source }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), FileError> {
        let failed = |source| FileError::Io { path: self.path.clone(), source };
        self.source.read_exact_at(buffer, offset).map_err(failed)
    }
}
