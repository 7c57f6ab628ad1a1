//! A look into a database that no process has open, as a member left it. Not a byte of it is written, even if the member was
//! killed and redb has something to repair: see [`super::overlay`].

use std::fs::{File, TryLockError};
use std::path::Path;

use redb::Database;

use super::closed::ClosedFile;
use super::overlay::Overlay;
use super::{BackendError, guarded};

/// What redb may keep of the file in memory.
const CACHE_BYTES: usize = 16 << 20;

impl ClosedFile {
    /// As a member left it, whether it was stopped or killed.
    ///
    /// # Errors
    /// When a process has it open, it cannot be read, or it is damaged where that shows at once.
    pub fn inspect(path: &Path) -> Result<ClosedFile, BackendError> {
        ClosedFile::begin(path, false)
    }

    /// As [`ClosedFile::inspect`], and goes through every page that is in use: each has the checksum that is kept of it.
    ///
    /// # Errors
    /// The same; damage anywhere.
    pub fn check(path: &Path) -> Result<ClosedFile, BackendError> {
        ClosedFile::begin(path, true)
    }

    fn begin(path: &Path, goes_through: bool) -> Result<ClosedFile, BackendError> {
        let io = |error| BackendError::io(path, error);
        let file = File::open(path).map_err(io)?;
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackendError::Locked(path.to_path_buf())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        if file.metadata().map_err(io)?.len() == 0 {
            return Err(BackendError::corrupt(path, "the file is empty"));
        }
        guarded(path, move || {
            // The lock goes with it: nobody writes the file meanwhile. Others may look, too.
            let failed = |error: redb::Error| BackendError::from_redb(path, error);
            let overlay = Overlay::new(file).map_err(io)?;
            let mut database = Database::builder()
                .set_cache_size(CACHE_BYTES)
                .create_with_backend(overlay)
                .map_err(|error| failed(error.into()))?;
            if goes_through && !database.check_integrity().map_err(|error| failed(error.into()))? {
                return Err(BackendError::corrupt(path, "a page does not have its checksum, or is lost"));
            }
            ClosedFile::of(path, database)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::backend::{Applied, Backend, BackendOptions, Batch, Bucket, Rows as _};

    fn leases(file: &ClosedFile) -> usize {
        let mut count = 0;
        file.each_row(Bucket::Lease, &mut |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
        count
    }

    #[test]
    fn closed_or_killed_it_is_read_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let backend = Backend::open(&path, BackendOptions::default()).unwrap();
        for index in 1..=20 {
            let mut batch = Batch::new();
            for number in 0..100 {
                batch.put(Bucket::Lease, format!("{index} {number}"), vec![7; 300]);
            }
            backend.commit(batch, Some(Applied { index, term: 1 }));
            backend.flush().unwrap();
        }
        let killed = dir.path().join("killed");
        std::fs::copy(&path, &killed).unwrap();
        assert!(matches!(ClosedFile::inspect(&path), Err(BackendError::Locked(_))), "in use");
        drop(backend);
        for path in [&path, &killed] {
            let before = std::fs::read(path).unwrap();
            let file = ClosedFile::check(path).unwrap();
            assert!(matches!(Backend::open(path, BackendOptions::default()), Err(BackendError::Locked(_))));
            assert_eq!((file.applied(), leases(&file)), (Applied { index: 20, term: 1 }, 2000));
            assert_eq!(leases(&ClosedFile::inspect(path).unwrap()), 2000, "several may look");
            drop(file);
            assert!(std::fs::read(path).unwrap() == before, "{path:?}");
        }
    }

    #[test]
    fn damage_in_what_is_used_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let backend = Backend::open(&path, BackendOptions::default()).unwrap();
        let mut batch = Batch::new();
        batch.put(Bucket::Lease, "k", vec![0xab; 100]);
        backend.commit(batch, Some(Applied { index: 1, term: 1 }));
        drop(backend);
        let whole = std::fs::read(&path).unwrap();
        let at = whole.windows(100).rposition(|window| window == [0xab; 100]).unwrap();
        let mut damaged = whole.clone();
        for copy in whole.windows(100).enumerate().filter(|(_, window)| *window == [0xab; 100]) {
            damaged[copy.0 + 50] ^= 1;
        }
        std::fs::write(&path, &damaged).unwrap();
        assert!(ClosedFile::check(&path).is_err(), "at {at}");
        for cut in [0, 9, 100, 4096, whole.len() / 2] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(ClosedFile::check(&path).is_err(), "{cut}");
        }
        assert!(ClosedFile::inspect(&dir.path().join("none")).is_err() && !dir.path().join("none").exists());
    }
}
