//! A bbolt file of a database that no process has open: a copy of what a member left, for those who read backups.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use redb::{Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase};

use super::snapshot::{self, Snapshot, unnamed};
use super::table::Table;
use super::{BackendError, Changes, guarded, room, schema, temporary};

/// What a database of this program begins with.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// Whether a file is a database of this program, by what it begins with.
///
/// # Errors
/// When it cannot be read.
pub fn is_native(file: &mut impl Read) -> std::io::Result<bool> {
    let mut first = Vec::with_capacity(MAGIC.len());
    file.take(MAGIC.len() as u64).read_to_end(&mut first)?;
    Ok(first == MAGIC)
}

/// Everything in it, as [`super::Backend::snapshot`] has it. `work` is a name that nobody has, where there is room for a copy. The
/// file itself stays as it is: one whose process was killed is repaired in that copy.
///
/// # Errors
/// When a process has it open, it is damaged or a newer program's, or there is no room.
pub fn export(path: &Path, work: &Path) -> Result<Snapshot, BackendError> {
    guarded(path, || match ReadOnlyDatabase::open(path) {
        Ok(database) => copy(path, &database, work),
        Err(DatabaseError::RepairAborted) => copy(path, &repaired(path, work)?, work),
        Err(error) => Err(BackendError::from_redb(path, error)),
    })
}

/// A copy without a name.
fn repaired(path: &Path, work: &Path) -> Result<Database, BackendError> {
    let failed = |error| BackendError::io(path, error);
    room::check(work, std::fs::metadata(path).map_err(failed)?.len(), None)?;
    let to = temporary(work, "repair");
    let mut from = File::open(path).map_err(failed)?;
    let mut copy = unnamed(&to).map_err(|error| BackendError::io(&to, error))?;
    std::io::copy(&mut from, &mut copy).map_err(|error| BackendError::io(&to, error))?;
    let backend = redb::backends::FileBackend::new(copy).map_err(|error| BackendError::from_redb(path, error))?;
    Database::builder().create_with_backend(backend).map_err(|error| BackendError::from_redb(path, error))
}

fn copy(path: &Path, database: &impl ReadableDatabase, work: &Path) -> Result<Snapshot, BackendError> {
    let used = schema::check(path, database)?.used_bytes;
    let transaction = database.begin_read().map_err(|error| BackendError::from_redb(path, error))?;
    let to = temporary(work, "export");
    room::check(&to, used, None)?;
    let file = unnamed(&to).map_err(|error| BackendError::io(&to, error))?;
    let open = |bucket| Table::open(&transaction, bucket).map_err(|error| BackendError::from_redb(path, error));
    let mut goes_on = room::in_steps(|| room::check(&to, 0, None));
    let len = snapshot::write(&open, path, &file, &Changes::none(), &mut goes_on)?;
    Ok(Snapshot::new(file, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Applied, Backend, BackendOptions, Batch, Bucket};
    use crate::bbolt::Reader;

    fn rows(snapshot: &Snapshot) -> Vec<(Vec<u8>, Vec<u8>)> {
        let reader = Reader::open(snapshot).unwrap();
        let mut buckets = reader.buckets().unwrap();
        let mut rows = buckets.find(Bucket::Lease.name().as_bytes()).unwrap().unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            found.push((row.key.to_vec(), row.value.to_vec()));
        }
        found
    }

    #[test]
    fn a_database_is_exported_closed_or_killed_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (path, work) = (dir.path().join("db"), dir.path().join("work"));
        let backend = Backend::open(&path, BackendOptions::default()).unwrap();
        let mut batch = Batch::new();
        batch.put(Bucket::Lease, "k", "v");
        backend.commit(batch, Some(Applied { index: 7, term: 1 }));
        backend.flush().unwrap();
        // As a kill would leave it.
        let killed = dir.path().join("killed");
        std::fs::copy(&path, &killed).unwrap();
        assert!(matches!(export(&path, &work), Err(BackendError::Locked(_))), "in use");
        drop(backend);
        for path in [&path, &killed] {
            let before = std::fs::read(path).unwrap();
            assert!(is_native(&mut &before[..]).unwrap());
            assert_eq!(rows(&export(path, &work).unwrap()), [(b"k".to_vec(), b"v".to_vec())], "{path:?}");
            assert!(std::fs::read(path).unwrap() == before, "{path:?}");
        }
        let mut names: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["db", "killed"]);
    }

    #[test]
    fn damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let (path, work) = (dir.path().join("db"), dir.path().join("work"));
        drop(Backend::open(&path, BackendOptions::default()).unwrap());
        let whole = std::fs::read(&path).unwrap();
        for cut in [9, 100, 4096, whole.len() / 2] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(export(&path, &work).is_err(), "{cut}");
        }
        assert!(!is_native(&mut &b"redb"[..]).unwrap() && !is_native(&mut &b""[..]).unwrap());
    }
}
