//! The file under redb, and where tests put faults into it.

use std::fs::File;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use redb::backends::FileBackend;
use redb::{BackendError as LockError, Database, DatabaseError, ReadOnlyDatabase, StorageBackend};

use super::give_back::GiveBack;
use super::mark::Watch;
use super::on_disk::{identity_of, lock, restrict};
use super::{BackendError, BackendOptions, room, schema};

/// Wraps every file that a backend opens; a test returns something that fails, or forgets, on purpose.
pub type StorageLayer = Arc<dyn Fn(FileBackend) -> Box<dyn StorageBackend> + Send + Sync>;

/// How the files of one backend are opened.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) options: BackendOptions,
    pub(super) layer: Option<StorageLayer>,
    /// The name under which the next start will look for one of them, if they are those of an open backend.
    pub(super) database: Option<PathBuf>,
}

impl Files {
    /// Opens a file that exists.
    pub(super) fn open(&self, path: &Path, file: File) -> Result<Database, BackendError> {
        self.database(path, self.storage(path, file, Some(path))?)
    }

    /// What is read and written of a file; when that fails, the file is marked if it is called by one of its names.
    pub(super) fn storage(&self, path: &Path, file: File, name: Option<&Path>) -> Result<Storage, BackendError> {
        let metadata = file.metadata().map_err(|error| BackendError::io(path, error))?;
        let names = [name, self.database.as_deref()].into_iter().flatten().map(Path::to_path_buf).collect();
        let give_back = GiveBack::of(&file).map_err(|error| BackendError::io(path, error))?;
        let file = FileBackend::new(file).map_err(|error| BackendError::from_redb(path, error))?;
        let inner: Box<dyn StorageBackend> = match &self.layer {
            Some(layer) => layer(file),
            None => Box::new(file),
        };
        let watch = Watch::new(identity_of(&metadata), names);
        Ok(Storage { inner, fsync: !self.options.unsafe_no_fsync, watch, give_back })
    }

    /// See [`room::check`].
    pub(super) fn check_room(&self, path: &Path, needed: u64) -> Result<(), BackendError> {
        room::check(path, needed, self.options.reserve_bytes)
    }

    /// An empty storage becomes a new database.
    fn database(&self, path: &Path, storage: Storage) -> Result<Database, BackendError> {
        Database::builder()
            .set_cache_size(self.options.cache_bytes)
            .create_with_backend(storage)
            .map_err(|error| BackendError::from_redb(path, error))
    }

    /// Creates an empty file, in place of what a process that is gone left under that name.
    pub(super) fn create(&self, path: &Path) -> Result<Database, BackendError> {
        let io = |error| BackendError::io(path, error);
        let mut options = File::options();
        options.read(true).write(true);
        match options.open(path) {
            Ok(leftover) => {
                lock(path, &leftover)?;
                std::fs::remove_file(path).map_err(io)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
        restrict(&mut options);
        let file = options.create_new(true).open(path).map_err(io)?;
        // By this name nobody looks for it later.
        self.database(path, self.storage(path, file, None)?)
    }
}

/// Looks at an existing file without writing to it, as opening it does: one that is refused stays as it is.
pub(super) fn check(path: &Path, file: &File) -> Result<(), BackendError> {
    if file.metadata().map_err(|error| BackendError::io(path, error))?.len() == 0 {
        return Err(BackendError::corrupt(path, "the file is empty"));
    }
    match ReadOnlyDatabase::open(path) {
        Ok(database) => schema::check(path, &database).map(drop),
        // Something else than a backend wrote it last and crashed; what it is will be seen after the repair.
        Err(DatabaseError::RepairAborted) => Ok(()),
        Err(error) => Err(BackendError::from_redb(path, error)),
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What redb, or whoever writes a file again, has to do with it.
#[derive(Debug)]
pub(super) struct Storage {
    inner: Box<dyn StorageBackend>,
    fsync: bool,
    watch: Watch,
    /// Below the others: dropped when the file is closed.
    #[expect(dead_code, reason = "there for its end")]
    give_back: GiveBack,
}

impl StorageBackend for Storage {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watch.note(self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.fsync { self.watch.note(self.inner.sync_data()) } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.watch.note(self.inner.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.inner.query_lock_range(start, end)
    }
}
