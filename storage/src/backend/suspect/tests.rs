use std::fmt;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::backends::FileBackend;
use redb::{BackendError as LockError, StorageBackend};

use super::*;
use crate::backend::tests::{EIO, check_prefix, entry, options};
use crate::backend::{Backend, BackendOptions, CommitObserver, adopt};

/// What a machine holds of one file: what can be read is in the file itself.
#[derive(Default)]
struct Machine {
    /// What is on the disk.
    disk: Mutex<Vec<u8>>,
    /// What a sync has to bring there.
    dirty: Mutex<Vec<(u64, usize)>>,
    /// Where something was written.
    written: Mutex<Vec<u64>>,
    /// Syncs that succeed before one fails.
    syncs_left: Mutex<Option<usize>>,
}

struct Cached {
    file: FileBackend,
    machine: Arc<Machine>,
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cached")
    }
}

impl Machine {
    fn open(self: &Arc<Machine>, path: &Path) -> Result<Backend, BackendError> {
        let machine = Arc::clone(self);
        let layer = move |file| Box::new(Cached { file, machine: Arc::clone(&machine) }) as Box<dyn StorageBackend>;
        Backend::open_with(path, options(), Some(Arc::new(layer)))
    }

    /// A database of so many entries in which one more could not be made durable, and the process has ended.
    fn with_failed_sync(path: &Path, entries: u64, syncs: usize) -> Arc<Machine> {
        let machine = Arc::new(Machine::default());
        let backend = machine.open(path).unwrap();
        (1..=entries).for_each(|index| entry(&backend, index));
        backend.flush().unwrap();
        entry(&backend, entries + 1);
        *machine.syncs_left.lock() = Some(syncs);
        backend.flush().unwrap_err();
        assert!(mark::is_there(path).unwrap());
        machine
    }

    fn is_on_disk(&self, path: &Path) -> bool {
        *self.disk.lock() == std::fs::read(path).unwrap()
    }

    fn lose_power(&self, path: &Path) {
        self.dirty.lock().clear();
        std::fs::write(path, &*self.disk.lock()).unwrap();
    }
}

impl StorageBackend for Cached {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.machine.disk.lock().resize(usize::try_from(len).unwrap(), 0);
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let dirty = std::mem::take(&mut *self.machine.dirty.lock());
        if let Some(left) = &mut *self.machine.syncs_left.lock() {
            if *left == 0 {
                *left = usize::MAX;
                // What was dirty is clean now, and not on the disk.
                return Err(io::Error::from_raw_os_error(i32::try_from(EIO).unwrap()));
            }
            *left -= 1;
        }
        let mut disk = self.machine.disk.lock();
        for (offset, length) in dirty {
            let offset_on_disk = usize::try_from(offset).unwrap();
            let end = (offset_on_disk + length).min(disk.len());
            if offset_on_disk < end {
                self.file.read(offset, &mut disk[offset_on_disk..end])?;
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)?;
        let len = usize::try_from(self.file.len()?).unwrap();
        let mut disk = self.machine.disk.lock();
        if disk.len() < len {
            disk.resize(len, 0);
        }
        self.machine.written.lock().push(offset);
        self.machine.dirty.lock().push((offset, data.len()));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.file.unlock_range(start, end)
    }
}

#[test]
fn what_a_failed_sync_left_is_written_again_before_it_is_trusted() {
    let mut lost = 0;
    for syncs in 0..2 {
        for trusting in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("db");
            let machine = Machine::with_failed_sync(&path, 40, syncs);
            if trusting {
                mark::remove(&path).unwrap();
            }
            let backend = machine.open(&path).unwrap();
            assert!(!mark::is_there(&path).unwrap());
            assert!(trusting || machine.is_on_disk(&path), "all that can be read");
            lost += usize::from(!machine.is_on_disk(&path));
            let durable = backend.durable_applied().index;
            assert!(durable >= 40);
            drop(backend);
            machine.lose_power(&path);
            if !trusting {
                assert_eq!(check_prefix(&machine.open(&path).unwrap()), durable);
            }
        }
    }
    assert!(lost > 0);
}

#[test]
fn a_mark_stays_until_the_file_is_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let machine = Machine::with_failed_sync(&path, 10, 0);
    *machine.syncs_left.lock() = Some(0);
    machine.open(&path).unwrap_err();
    assert!(mark::is_there(&path).unwrap());
    assert!(check_prefix(&machine.open(&path).unwrap()) >= 10);
    assert!(!mark::is_there(&path).unwrap() && machine.is_on_disk(&path));
}

#[test]
fn a_sync_that_fails_while_a_file_is_opened_or_closed_marks_it() {
    for while_opened in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let machine = Arc::new(Machine::default());
        let mut backend = machine.open(&path).unwrap();
        if while_opened {
            drop(backend);
            *machine.syncs_left.lock() = Some(0);
            machine.open(&path).unwrap_err();
        } else {
            entry(&backend, 1);
            backend.flush().unwrap();
            *machine.syncs_left.lock() = Some(0);
            drop(backend);
        }
        assert!(mark::is_there(&path).unwrap());
        backend = machine.open(&path).unwrap();
        assert!(!mark::is_there(&path).unwrap() && machine.is_on_disk(&path));
        assert_eq!(check_prefix(&backend), u64::from(!while_opened));
    }
}

#[test]
fn a_panic_while_the_file_is_written_marks_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let on_commit = Some(CommitObserver(Arc::new(|_| panic!("observed"))));
    let backend = Backend::open(&path, BackendOptions { on_commit, ..options() }).unwrap();
    entry(&backend, 1);
    backend.flush().unwrap_err();
    assert!(mark::is_there(&path).unwrap());
    drop(backend);
    assert_eq!(check_prefix(&Backend::open(&path, options()).unwrap()), 1);
    assert!(!mark::is_there(&path).unwrap());
}

#[test]
fn a_file_that_is_in_use_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let backend = Backend::open(&path, options()).unwrap();
    mark::put(&path);
    let other = Backend::open(&path, options()).unwrap_err();
    assert!(matches!(other, BackendError::Locked(_)), "{other}");
    assert!(mark::is_there(&path).unwrap());
    drop(backend);
    drop(Backend::open(&path, options()).unwrap());
    assert!(!mark::is_there(&path).unwrap());
}

#[test]
fn a_file_that_is_to_be_the_database_is_settled_too() {
    let dir = tempfile::tempdir().unwrap();
    let [path, new] = ["db", "1.snap.db"].map(|name| dir.path().join(name));
    drop(Backend::open(&path, options()).unwrap());
    for index in 1..3 {
        let backend = Backend::open(&new, options()).unwrap();
        (1..=index).for_each(|index| entry(&backend, index));
        drop(backend);
        mark::put(&new);
        let applied = if index == 1 {
            adopt(&new, &path).unwrap()
        } else {
            Backend::open(&path, options()).unwrap().install(&new).unwrap()
        };
        assert_eq!(applied.index, index);
        let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["db"], "no mark is left behind");
    }
}

#[test]
fn holes_stay_holes_and_zeros_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(64 << 20).unwrap();
    file.write_all_at(&[7; 100], 0).unwrap();
    // In the second block, which is not a hole then.
    file.write_all_at(&[0; 4096], 4096).unwrap();
    file.write_all_at(&[7; 10_000], 30 << 20).unwrap();
    file.sync_all().unwrap();
    let (before, bytes) = (std::fs::read(&path).unwrap(), on_disk::allocated_bytes(&path).unwrap());
    let machine = Arc::new(Machine::default());
    let storage = Cached { file: FileBackend::new(file.try_clone().unwrap()).unwrap(), machine: Arc::clone(&machine) };
    write_again(&storage, Holes::of(file)).unwrap();
    assert!(std::fs::read(&path).unwrap() == before);
    assert!(machine.written.lock().contains(&4096), "zeros may have been something else on the disk");
    assert_eq!(on_disk::allocated_bytes(&path).unwrap(), bytes);
}
