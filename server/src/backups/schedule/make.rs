//! One backup, made on a thread that nobody else waits for, at its pace.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use keyport_storage::backend::{Backend, BackendError, Changes, Snapshot};
use rustix::fs::{Advice, fadvise};
use sha2::{Digest, Sha256};

use super::super::file::Manner;
use super::super::part::{Part, PartError};
use super::super::status::{self, StatusError};
use crate::bulk::Pace;
use crate::{membership, version};

/// Read at once.
const PIECE_BYTES: usize = 64 << 10;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) revision: i64,
    pub(super) keys: usize,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum MakeError {
    #[error(transparent)]
    Copy(#[from] BackendError),
    #[error(transparent)]
    Part(#[from] PartError),
    #[error("it was written, and is not what was to be written: {0}")]
    Check(#[from] StatusError),
    #[error("cannot have a thread: {0}")]
    Thread(#[source] io::Error),
    #[error("a mistake in the program")]
    Panicked,
}

/// Writes it aside, goes through what the disk has of it, and gives it its name.
///
/// # Errors
/// See [`MakeError`]. Nothing is left then.
pub(super) fn make(backend: &Backend, part: Part, is_wanted: &dyn Fn() -> bool) -> Result<Made, MakeError> {
    let changes = membership::of_version(Changes::none(), version::ETCD_COPY);
    let mut pace = Pace::begin();
    let snapshot = backend.save(&part.path, &changes, &mut || {
        pace.step();
        is_wanted()
    })?;
    append_digest(&snapshot, &part, &mut pace).map_err(|source| part.failed(source))?;
    let status = status::verified(&part.path, Manner::Paced)?;
    let path = part.finish()?;
    Ok(Made { path, bytes: snapshot.len(), revision: status.revision, keys: status.total_key })
}

fn append_digest(snapshot: &Snapshot, part: &Part, pace: &mut Pace) -> io::Result<()> {
    let (mut digest, mut piece, mut at) = (Sha256::new(), vec![0; PIECE_BYTES], 0);
    while at < snapshot.len() {
        let left = usize::try_from(snapshot.len() - at).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        let piece = piece.get_mut(..left).unwrap_or_default();
        snapshot.read_at(at, piece)?;
        digest.update(&*piece);
        at += left as u64;
        pace.step();
    }
    let file = File::options().write(true).open(&part.path)?;
    file.write_all_at(&digest.finalize(), at)?;
    file.sync_all()?;
    // What is looked at next is what the disk has; and nobody else needs it in memory.
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use keyport_storage::backend::BackendOptions;

    use super::*;

    #[test]
    fn what_is_made_is_whole_and_what_is_not_wanted_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let backend = Backend::open(&dir.path().join("db"), BackendOptions::default()).unwrap();
        let to = dir.path().join("backup.db");
        let unwanted = make(&backend, Part::of(&to), &|| false);
        assert!(matches!(unwanted, Err(MakeError::Copy(BackendError::Unwanted))));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let made = make(&backend, Part::of(&to), &|| true).unwrap();
        assert_eq!((&made.path, made.bytes + 32), (&to, std::fs::metadata(&to).unwrap().len()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        status::verified(&to, Manner::Paced).unwrap();
    }
}
