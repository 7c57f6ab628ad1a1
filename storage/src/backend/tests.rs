mod order;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{BackendError as LockError, StorageBackend};

use super::*;
use crate::bbolt::Reader;
use crate::{Record, Versions};

/// What goes wrong with the files of a backend, switched while it runs.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Reads fail.
    pub(crate) unreadable: AtomicBool,
    /// Writes that still succeed; then they fail.
    pub(super) writes_left: Mutex<Option<usize>>,
    /// What failing writes and syncs say.
    pub(super) errno: AtomicUsize,
    /// Failing writes leave the first half of their bytes.
    short: AtomicBool,
    /// Syncs fail.
    sync: AtomicBool,
    /// What was written since the last sync is held back here, to be lost with the machine.
    pub(super) pending: Mutex<Vec<(u64, Vec<u8>)>>,
    /// Syncs that still succeed before the machine is gone; until there is a number, writes go straight to the file.
    pub(super) syncs_left: Mutex<Option<usize>>,
    /// Nothing reaches the file any more.
    pub(super) gone: AtomicBool,
}

pub(super) const ENOSPC: usize = 28;
pub(super) const EIO: usize = 5;

struct Faulty {
    file: FileBackend,
    faults: Arc<Faults>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.faults.fmt(f)
    }
}

impl Faults {
    pub(crate) fn layer(self: &Arc<Faults>) -> Option<StorageLayer> {
        let faults = Arc::clone(self);
        Some(Arc::new(move |file| Box::new(Faulty { file, faults: Arc::clone(&faults) })))
    }

    pub(super) fn fail_after(&self, writes: usize, errno: usize) {
        self.errno.store(errno, Ordering::SeqCst);
        *self.writes_left.lock() = Some(writes);
    }

    fn error(&self) -> io::Error {
        io::Error::from_raw_os_error(i32::try_from(self.errno.load(Ordering::SeqCst)).unwrap())
    }
}

impl Faulty {
    fn put_down(&self, pending: Vec<(u64, Vec<u8>)>) -> io::Result<()> {
        pending.into_iter().try_for_each(|(offset, data)| self.file.write(offset, &data))
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.faults.unreadable.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(i32::try_from(EIO).unwrap()));
        }
        self.file.read(offset, out)?;
        let end = offset + out.len() as u64;
        for (at, data) in &*self.faults.pending.lock() {
            let (from, to) = (offset.max(*at), end.min(at + data.len() as u64));
            if from < to {
                let span = |base: u64| usize::try_from(from - base).unwrap()..usize::try_from(to - base).unwrap();
                out[span(offset)].copy_from_slice(&data[span(*at)]);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.faults.gone.load(Ordering::SeqCst) { Ok(()) } else { self.file.set_len(len) }
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.faults.sync.load(Ordering::SeqCst) {
            return Err(self.faults.error());
        }
        if let Some(left) = &mut *self.faults.syncs_left.lock() {
            if *left == 0 {
                self.faults.gone.store(true, Ordering::SeqCst);
                return Err(self.faults.error());
            }
            *left -= 1;
        }
        self.put_down(std::mem::take(&mut self.faults.pending.lock()))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Some(left) = &mut *self.faults.writes_left.lock() {
            if *left == 0 {
                if self.faults.short.load(Ordering::SeqCst) {
                    self.file.write(offset, &data[..data.len() / 2])?;
                }
                return Err(self.faults.error());
            }
            *left -= 1;
        }
        if self.faults.gone.load(Ordering::SeqCst) {
            return Err(self.faults.error());
        }
        if self.faults.syncs_left.lock().is_some() {
            self.faults.pending.lock().push((offset, data.to_vec()));
            return Ok(());
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        if !self.faults.gone.load(Ordering::SeqCst) {
            self.put_down(std::mem::take(&mut self.faults.pending.lock()))?;
        }
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, LockError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), LockError> {
        self.file.unlock_range(start, end)
    }
}

/// Commits only when told to.
pub(super) fn options() -> BackendOptions {
    BackendOptions { batch_interval: Duration::from_secs(3600), ..BackendOptions::default() }
}

fn record(key: &[u8], revision: i64) -> Record {
    Record::new(key, &[b'v'; 300], Versions { mod_revision: revision, ..Versions::default() })
}

/// One entry of a log: a row of history and one of another bucket.
pub(super) fn entry(backend: &Backend, index: u64) {
    let revision = i64::try_from(index).unwrap();
    let mut batch = Batch::new();
    batch.put_record(RowKey::new(revision, 0), record(format!("key{index}").as_bytes(), revision));
    batch.put(Bucket::Lease, (index % 7).to_be_bytes().to_vec(), index.to_be_bytes().to_vec());
    backend.commit(batch, Some(Applied { index, term: 1 }));
}

pub(super) fn rows(backend: &Backend) -> Vec<i64> {
    let end = RowKey::new(i64::MAX, 0);
    backend.records(RowKey::new(0, 0), end, usize::MAX).unwrap().iter().map(|(row, _)| row.main).collect()
}

fn others(backend: &Backend) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rows = BTreeMap::new();
    let each = &mut |key: &[u8], value: &[u8]| {
        rows.insert(key.to_vec(), value.to_vec());
        std::ops::ControlFlow::Continue(())
    };
    backend.scan(Bucket::Lease, &[], None, each).unwrap();
    rows
}

/// That what is there is what a prefix of the log did, and which prefix.
pub(super) fn check_prefix(backend: &Backend) -> u64 {
    let index = backend.durable_applied().index;
    assert_eq!(rows(backend), (1..=i64::try_from(index).unwrap()).collect::<Vec<_>>());
    let expected = (1..=index).map(|index| ((index % 7).to_be_bytes().to_vec(), index.to_be_bytes().to_vec()));
    assert_eq!(others(backend), expected.collect());
    index
}

#[test]
fn reads_see_the_buffer_above_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::open(&dir.path().join("db"), options()).unwrap();
    let put = |value: &'static str| {
        let mut batch = Batch::new();
        batch.put(Bucket::Meta, "k", value);
        backend.commit(batch, None);
    };
    put("old");
    for index in 1..4 {
        entry(&backend, index);
    }
    backend.flush().unwrap();
    put("new");
    for index in 4..6 {
        entry(&backend, index);
    }
    let mut batch = Batch::new();
    batch.delete_record(RowKey::new(2, 0));
    batch.delete_record(RowKey::new(4, 0));
    batch.delete(Bucket::Lease, 1u64.to_be_bytes().to_vec());
    backend.commit(batch, None);
    let check = || {
        assert_eq!(backend.get(Bucket::Meta, b"k").unwrap(), Some(Bytes::from("new")));
        assert_eq!(backend.get(Bucket::Lease, &1u64.to_be_bytes()).unwrap(), None);
        assert_eq!(rows(&backend), [1, 3, 5]);
        assert_eq!(backend.record(RowKey::new(4, 0)).unwrap(), None);
        assert_eq!(backend.record(RowKey::new(2, 0)).unwrap(), None);
        assert_eq!(backend.record(RowKey::new(5, 0)).unwrap(), Some(record(b"key5", 5)));
        assert_eq!(backend.record(RowKey::new(1, 0)).unwrap(), Some(record(b"key1", 1)));
        let some = |from, to, limit| -> Vec<i64> {
            let found = backend.records(RowKey::new(from, 0), RowKey::new(to, 0), limit).unwrap();
            found.iter().map(|(row, _)| row.main).collect()
        };
        assert_eq!((some(2, 5, 9), some(1, 9, 2), some(3, 3, 9), some(5, 1, 9)), (vec![3], vec![1, 3], vec![], vec![]));
        let keys: Vec<Vec<u8>> = others(&backend).into_keys().collect();
        assert_eq!(keys, [2u64, 3, 4, 5].map(|key| key.to_be_bytes().to_vec()));
        let mut seen = 0;
        let (from, to) = (3u64.to_be_bytes(), 5u64.to_be_bytes());
        backend
            .scan(Bucket::Lease, &from, Some(&to), &mut |_, _| {
                seen += 1;
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(seen, 2);
    };
    check();
    backend.flush().unwrap();
    check();
    backend.defragment().unwrap();
    check();
}

#[test]
fn a_lost_machine_leaves_a_prefix_of_the_log() {
    for syncs in 0..4 {
        for survivors in 0..6 {
            let lost = lose_the_machine(syncs, survivors);
            assert!(syncs < 3 || !lost, "a transaction takes fewer syncs than that");
        }
    }
}

/// Stops at the given sync of a transaction; of the writes since the sync before, some survive: none, all, or every
/// so manieth. Returns whether the transaction was lost.
fn lose_the_machine(syncs: usize, survivors: usize) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let faults = Arc::new(Faults::default());
    let backend = Backend::open_with(&path, options(), faults.layer()).unwrap();
    for index in 1..=40 {
        entry(&backend, index);
        if index == 10 || index == 20 {
            assert_eq!(backend.flush().unwrap().index, index);
        }
    }
    faults.errno.store(EIO, Ordering::SeqCst);
    *faults.syncs_left.lock() = Some(syncs);
    let told = backend.flush().map(|applied| applied.index);
    assert!(told.is_err() || told.as_ref().is_ok_and(|index| *index == 40));
    faults.gone.store(true, Ordering::SeqCst);
    drop(backend);
    let file = File::options().write(true).open(&path).unwrap();
    for (at, (offset, data)) in std::mem::take(&mut *faults.pending.lock()).into_iter().enumerate() {
        let survives = match survivors {
            0 => false,
            1 => true,
            every => at % every == 0,
        };
        if survives {
            std::os::unix::fs::FileExt::write_all_at(&file, &data, offset).unwrap();
        }
    }
    drop(file);
    let backend = Backend::open(&path, options()).unwrap();
    let found = check_prefix(&backend);
    assert!(found >= told.clone().unwrap_or(20), "what was flushed is there");
    // And it goes on.
    entry(&backend, found + 1);
    assert_eq!(backend.flush().unwrap().index, found + 1);
    told.is_err()
}

#[test]
fn after_a_failed_write_nothing_is_claimed() {
    for (short, sync, errno) in [(false, false, ENOSPC), (true, false, ENOSPC), (false, false, EIO), (false, true, EIO)]
    {
        for writes in [0, 1, 2, 4] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("db");
            let faults = Arc::new(Faults::default());
            let backend = Backend::open_with(&path, options(), faults.layer()).unwrap();
            for index in 1..=10 {
                entry(&backend, index);
            }
            backend.flush().unwrap();
            for index in 11..=200 {
                entry(&backend, index);
            }
            faults.short.store(short, Ordering::SeqCst);
            faults.sync.store(sync, Ordering::SeqCst);
            faults.fail_after(if sync { usize::MAX } else { writes }, errno);
            let failure = backend.flush().unwrap_err();
            assert_eq!(matches!(failure, BackendError::NoSpace(_)), errno == ENOSPC, "{failure}");
            assert_eq!(backend.durable_applied().index, 10);
            assert!(backend.failure().is_some());
            // What was committed can still be read.
            assert_eq!(rows(&backend).len(), 200);
            // The disk is well again, but what redb and the kernel hold is not known any more.
            *faults.writes_left.lock() = None;
            faults.sync.store(false, Ordering::SeqCst);
            entry(&backend, 201);
            assert!(backend.flush().is_err() && backend.defragment().is_err());
            assert_eq!(backend.durable_applied().index, 10);
            drop(backend);
            assert!(mark::is_there(&path).unwrap());
            let backend = Backend::open(&path, options()).unwrap();
            assert!(check_prefix(&backend) >= 10);
            assert!(!mark::is_there(&path).unwrap());
        }
    }
}

#[test]
fn a_full_device_does_not_harm_what_defragmentation_copies() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let faults = Arc::new(Faults::default());
    let backend = Backend::open_with(&path, options(), faults.layer()).unwrap();
    for index in 1..=300 {
        entry(&backend, index);
    }
    backend.flush().unwrap();
    faults.fail_after(3, ENOSPC);
    assert!(matches!(backend.defragment(), Err(BackendError::NoSpace(_))));
    *faults.writes_left.lock() = None;
    assert!(backend.failure().is_none());
    entry(&backend, 301);
    backend.flush().unwrap();
    backend.defragment().unwrap();
    assert_eq!(check_prefix(&backend), 301);
    assert_eq!(names(&dir), ["db"], "nothing is left behind");
}

#[test]
fn incomplete_copies_are_removed_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    drop(Backend::open(&path, options()).unwrap());
    for name in ["db.tmp.defragment", "db.tmp.snapshot.3", "other.tmp.1"] {
        std::fs::write(dir.path().join(name), b"half").unwrap();
    }
    let _backend = Backend::open(&path, options()).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["db", "other.tmp.1"]);
}

#[test]
fn readers_do_not_notice_a_defragmentation() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let backend = Backend::open(&path, options()).unwrap();
    for index in 1..=1000 {
        entry(&backend, index);
    }
    backend.flush().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                assert_eq!(rows(&backend).len(), 1000);
            }
        });
        for _ in 0..3 {
            backend.defragment().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    drop(backend);
    assert_eq!(check_prefix(&Backend::open(&path, options()).unwrap()), 1000);
}

#[test]
fn a_snapshot_is_a_database_as_of_its_moment() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::open(&dir.path().join("db"), options()).unwrap();
    for index in 1..=500 {
        entry(&backend, index);
    }
    let snapshot = backend.snapshot(&Changes::none(), &mut || true).unwrap();
    let hash = backend.hash().unwrap();
    entry(&backend, 501);
    backend.flush().unwrap();
    let mut bytes = vec![0; usize::try_from(snapshot.len()).unwrap()];
    let (begin, end) = bytes.split_at_mut(1000);
    snapshot.read_at(1000, end).unwrap();
    snapshot.read_at(0, begin).unwrap();
    let reader = Reader::open(&bytes[..]).unwrap();
    let copy = dir.path().join("copy");
    import((Path::new("snapshot"), &reader), &copy, options(), &ImportOptions::default()).unwrap();
    let copy = Backend::open(&copy, options()).unwrap();
    assert_eq!(check_prefix(&copy), 500);
    assert_eq!(copy.hash().unwrap(), hash);
    assert_ne!(backend.hash().unwrap(), hash);
}

pub(super) fn names(dir: &tempfile::TempDir) -> Vec<std::ffi::OsString> {
    std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn copies_leave_room_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let reserve_bytes = Some(u64::MAX / 2);
    let backend = Backend::open(&path, BackendOptions { reserve_bytes, ..options() }).unwrap();
    for index in 1..=10 {
        entry(&backend, index);
    }
    assert!(matches!(backend.snapshot(&Changes::none(), &mut || true), Err(BackendError::NoRoom { .. })));
    assert!(matches!(backend.defragment(), Err(BackendError::NoRoom { .. })));
    let received = dir.path().join("received");
    let none = BackendOptions { reserve_bytes, ..options() };
    assert!(matches!(ImageWriter::create(&received, none), Err(BackendError::NoRoom { .. })));
    entry(&backend, 11);
    backend.flush().unwrap();
    assert_eq!(names(&dir), ["db"], "nothing is left behind");

    let little = Backend::open(&dir.path().join("other"), options()).unwrap();
    little.snapshot(&Changes::none(), &mut || true).unwrap();
    little.defragment().unwrap();
}

#[test]
fn a_copy_that_nobody_wants_any_more_ends() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::open(&dir.path().join("db"), options()).unwrap();
    for index in 1..=100 {
        entry(&backend, index);
    }
    let asked = std::cell::Cell::new(0);
    let mut is_wanted = || asked.replace(asked.get() + 1) < 2;
    assert!(matches!(backend.snapshot(&Changes::none(), &mut is_wanted), Err(BackendError::Unwanted)));
    assert_eq!(names(&dir), ["db"], "nothing is left behind");
    backend.snapshot(&Changes::none(), &mut || true).unwrap();
    assert_eq!(names(&dir), ["db"]);
}

#[test]
fn commit_waits_for_a_flusher_that_is_far_behind() {
    let dir = tempfile::tempdir().unwrap();
    let options = BackendOptions { batch_limit: 10, ..options() };
    let backend = Backend::open(&dir.path().join("db"), options.clone()).unwrap();
    for index in 1..=500 {
        entry(&backend, index);
        assert!(
            backend.shared.contents.load().buffers.read().active.operations
                <= (edition::BEHIND + 1) * options.batch_limit
        );
    }
    backend.flush().unwrap();
    assert_eq!(check_prefix(&backend), 500);
}

fn reason(path: &Path) -> String {
    let before = std::fs::read(path).unwrap_or_default();
    let reason = Backend::open(path, options()).unwrap_err().to_string();
    assert!(std::fs::read(path).unwrap_or_default() == before, "left as it is: {reason}");
    assert!(!reason.contains('\n'), "{reason}");
    reason.replace(&path.display().to_string(), "DB")
}

#[test]
fn what_cannot_be_opened_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    std::fs::write(&path, b"").unwrap();
    assert_eq!(reason(&path), "DB: corrupt: the file is empty");
    std::fs::write(&path, vec![7; 10_000]).unwrap();
    assert!(reason(&path).starts_with("DB: corrupt: "));
    std::fs::remove_file(&path).unwrap();

    let backend = Backend::open(&path, options()).unwrap();
    entry(&backend, 1);
    let other = Backend::open(&path, options()).unwrap_err();
    assert!(matches!(other, BackendError::Locked(_)), "{other}");
    drop(backend);

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(reason(&path).starts_with("DB: corrupt: "));
    std::fs::write(&path, &whole).unwrap();

    let change = |change: &dyn Fn(&redb::WriteTransaction)| {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        change(&transaction);
        transaction.commit().unwrap();
    };
    change(&|transaction| {
        let mut meta = transaction.open_table(table::definition(Bucket::Meta)).unwrap();
        meta.insert(schema::STORAGE_VERSION_KEY, &b"3.8.0"[..]).unwrap();
    });
    assert_eq!(reason(&path), "DB: written by a newer version: its schema is 3.8.0, this program knows 3.7.0");
    change(&|transaction| {
        let mut meta = transaction.open_table(table::definition(Bucket::Meta)).unwrap();
        meta.insert(schema::STORAGE_VERSION_KEY, &b"3.7.0"[..]).unwrap();
        let mut own = transaction.open_table(redb::TableDefinition::<&str, u64>::new("keyport")).unwrap();
        own.insert("schemaVersion", schema::SCHEMA_VERSION + 1).unwrap();
    });
    assert_eq!(reason(&path), "DB: written by a newer version: its schema is 3, this program knows 2");

    assert!(reason(&dir.path().join("missing/db")).contains("No such file"));
}
