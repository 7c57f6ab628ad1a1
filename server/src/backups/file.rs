//! The file that a backup is: a bbolt file and, if it came from a server, the SHA-256 of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use keyport_storage::bbolt::{ReadError, Reader};
use sha2::{Digest, Sha256};

const DIGEST_BYTES: usize = 32;
/// Pages are of a multiple of this; what is left is a digest.
const SECTOR_BYTES: u64 = 512;
/// Read at once.
const PIECE_BYTES: usize = 1 << 20;

/// See the module's text.
#[derive(Debug)]
pub(super) struct BackupFile {
    pub(super) path: PathBuf,
    file: File,
    /// Without the digest.
    bytes: u64,
    has_digest: bool,
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
    #[error("expected sha256 {expected}, got {found}: {} is damaged", path.display())]
    Digest { path: PathBuf, expected: String, found: String },
}

impl BackupFile {
    /// # Errors
    /// When there is none, or it cannot be read.
    pub(super) fn open(path: &Path) -> Result<BackupFile, FileError> {
        let failed = |source| FileError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let all = file.metadata().map_err(failed)?.len();
        let digest = DIGEST_BYTES as u64;
        let has_digest = all % SECTOR_BYTES == digest;
        let bytes = if has_digest { all - digest } else { all };
        Ok(BackupFile { path: path.to_owned(), file, bytes, has_digest })
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
        let mut at = 0;
        while at < self.bytes {
            let left = usize::try_from(self.bytes - at).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
            let piece = piece.get_mut(..left).unwrap_or_default();
            self.read_at(piece, at)?;
            digest.update(&*piece);
            at += left as u64;
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
    pub(super) fn reader(&self) -> Result<Reader<&File>, FileError> {
        Reader::open(&self.file).map_err(|error| self.damaged(error))
    }

    pub(super) fn damaged(&self, source: ReadError) -> FileError {
        FileError::Damaged { path: self.path.clone(), source }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), FileError> {
        let failed = |source| FileError::Io { path: self.path.clone(), source };
        self.file.read_exact_at(buffer, offset).map_err(failed)
    }
}
