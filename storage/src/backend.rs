//! The database file and the write buffer before it.
//!
//! The apply thread hands over batches, which are visible at once and become durable later: a flusher thread moves
//! everything gathered so far into one redb transaction, together with the index of the last log entry that it
//! contains. A crash loses the buffer only, and the log replays from that index. Since a batch is never divided
//! between two transactions, and batches stay in order, what a crash leaves is what some prefix of the log did.
//!
//! A read looks at the buffer first: at the active layer, then at the sealed one (which is being written), then at
//! a view of the file that is renewed after each transaction.
//!
//! A file is replaced as a whole in two cases: by a dense copy of itself, and by the image of another member's
//! database. In both the new file is complete and synced under another name before it is renamed over the old one,
//! so a crash leaves one of the two under the name, whole. The flusher does both between two transactions; so no
//! transaction goes to a file that has lost its name. The copy is made while the flusher goes on; only its end waits for it.
//!
//! After the first write or fsync that fails nothing is tried again: the file stays at the last good transaction,
//! [`Backend::durable_applied`] with it, and [`Backend::failure`] says why. The sync of the directory after a rename
//! counts as such a write: which file a crash would leave is not known any more.
//!
//! What can be read is not always on the disk. A failed write or sync of the file leaves a mark beside it,
//! `db.suspect`, and the next start writes a marked file again, in place, before it counts on what is in it. A process
//! that was killed leaves less to do: redb syncs a file when it opens it, and its name is synced here.

mod batch;
mod changes;
mod closed;
mod copying;
mod defragment;
mod edition;
mod error;
mod export;
mod flusher;
mod free;
mod give_back;
mod hash;
mod image;
mod import;
mod inspected;
mod install;
mod journal;
mod layer;
mod loader;
mod mark;
mod occupied;
mod on_disk;
mod overlay;
mod read;
mod room;
mod row_key;
pub mod schema;
mod snapshot;
mod storage;
mod suspect;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod view;
mod write_back;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io, thread};

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex};
use redb::{Database, ReadableDatabase};
use tracing::info;

use self::edition::Contents;
use self::flusher::Job;
use self::free::Free;
use self::schema::Found;
use self::storage::Files;
use self::view::View;
use crate::thread_panic::{self, ThreadPanic};

pub use batch::{Applied, Batch, Bucket};
pub use changes::Changes;
pub use closed::ClosedFile;
pub(crate) use edition::Edition;
pub use error::BackendError;
pub use export::{export, is_native};
pub use image::{ImageReader, ImageWriter};
pub use import::{ImportOptions, import};
pub use install::adopt;
pub use read::{EachRow, Rows};
pub use row_key::{EncodedRowKey, RowKey};
pub use snapshot::Snapshot;
pub use storage::StorageLayer;

/// How the backend gathers and keeps.
#[derive(Clone, Debug)]
pub struct BackendOptions {
    /// How long a change may wait for its transaction.
    pub batch_interval: Duration,
    /// How many rows are gathered before a transaction begins early.
    pub batch_limit: usize,
    /// What redb may keep of the file in memory.
    pub cache_bytes: usize,
    /// How many bytes of the disk copies of the database leave free; none for 128 MiB or an eighth of it, whichever is
    /// less.
    pub reserve_bytes: Option<u64>,
    /// Leaves out every fsync: for tests and throw-away data only.
    pub unsafe_no_fsync: bool,
    /// Told how long each commit took.
    pub on_commit: Option<CommitObserver>,
}

/// A function that is told how long something took.
#[derive(Clone)]
pub struct CommitObserver(pub Arc<dyn Fn(Duration) + Send + Sync>);

impl fmt::Debug for CommitObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommitObserver")
    }
}

impl Default for BackendOptions {
    fn default() -> BackendOptions {
        BackendOptions {
            batch_interval: Duration::from_millis(500),
            batch_limit: 16_000,
            cache_bytes: 16 << 20,
            reserve_bytes: None,
            unsafe_no_fsync: false,
            on_commit: None,
        }
    }
}

/// The database of one member. All methods may be called from any thread.
#[derive(Debug)]
pub struct Backend {
    shared: Arc<Shared>,
    /// One copy to replace the file is made at a time.
    defragmenting: Mutex<()>,
    flusher: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    files: Files,
    /// Replaced by the flusher alone, when it has installed another file.
    contents: ArcSwap<Contents>,
    control: Mutex<Control>,
    /// Tells the flusher to look at `control` and `full`.
    wake: Condvar,
    /// Tells everyone else that the flusher has done a round.
    done: Condvar,
    /// Whether enough is gathered for a transaction before its time.
    full: AtomicBool,
    size: AtomicU64,
    /// What is gathered and not in the file yet; written with the lock of the buffers.
    waiting: AtomicU64,
    /// What the rows in the file take.
    used: AtomicU64,
    /// What was added to the file since it was opened, by what the rows take of pages.
    added: AtomicU64,
    free: Mutex<Free>,
    snapshots: AtomicU64,
}

#[derive(Debug)]
struct Control {
    /// How many times `flush` was called, and which of these calls are answered.
    requested: u64,
    completed: u64,
    durable: Applied,
    failure: Option<BackendError>,
    job: Option<Job>,
    stop: bool,
}

impl Backend {
    /// Opens the database, or creates it if there is none.
    ///
    /// # Errors
    /// When the file is in use, cannot be written, is corrupt or of a newer version. It is left as it is.
    pub fn open(path: &Path, options: BackendOptions) -> Result<Backend, BackendError> {
        Backend::open_with(path, options, None)
    }

    /// As [`Backend::open`], with a layer around every file that tests use to make it fail.
    pub fn open_with(
        path: &Path,
        options: BackendOptions,
        layer: Option<StorageLayer>,
    ) -> Result<Backend, BackendError> {
        let files = Files { options, layer, database: Some(path.to_path_buf()) };
        let (database, found) = guarded(path, || {
            // A process that was killed between a renaming and this has not done it.
            on_disk::sync_directory(path)?;
            match std::fs::metadata(path) {
                Ok(_) => install::open(&files, path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => create(&files, path),
                Err(error) => Err(BackendError::io(path, error)),
            }
        })?;
        remove_leftovers(path);
        let view = Arc::new(View::open(path, &Arc::new(database))?);
        let shared = Arc::new(Shared {
            path: path.to_path_buf(),
            files,
            contents: ArcSwap::from_pointee(Contents::new(view, found.applied)),
            control: Mutex::new(Control {
                requested: 0,
                completed: 0,
                durable: found.applied,
                failure: None,
                job: None,
                stop: false,
            }),
            wake: Condvar::new(),
            done: Condvar::new(),
            full: AtomicBool::new(false),
            size: AtomicU64::new(0),
            used: AtomicU64::new(found.used_bytes),
            added: AtomicU64::new(0),
            free: Mutex::new(found.free),
            waiting: AtomicU64::default(),
            snapshots: AtomicU64::new(0),
        });
        shared.measure();
        let flusher = thread::Builder::new()
            .name("flusher".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    if let Err(panic) = ThreadPanic::catch(|| flusher::run(&shared)) {
                        flusher::fail(&shared, panic.into());
                    }
                }
            })
            .map_err(|error| BackendError::io(path, error))?;
        Ok(Backend { shared, defragmenting: Mutex::default(), flusher: Mutex::new(Some(flusher)) })
    }

    /// Makes a batch visible; it becomes durable together with `applied`.
    ///
    /// Waits if the flusher is far behind. After a failure it does not wait: what is committed then stays in
    /// memory, and the process is expected to end.
    pub fn commit(&self, batch: Batch, applied: Option<Applied>) {
        self.edition().commit(batch, applied);
    }

    /// Waits until everything committed so far is durable; returns the last entry that a restart would find.
    ///
    /// # Errors
    /// When it cannot be written, now or before.
    pub fn flush(&self) -> Result<Applied, BackendError> {
        self.shared.flush()
    }

    /// The last log entry that a restart would find; the log may be released up to here.
    pub fn durable_applied(&self) -> Applied {
        self.shared.control.lock().durable
    }

    /// Why nothing becomes durable any more, if that is so.
    pub fn failure(&self) -> Option<BackendError> {
        self.shared.control.lock().failure.clone()
    }

    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// What the file takes on the disk, as of the last transaction.
    pub fn size(&self) -> u64 {
        self.shared.size.load(Ordering::Relaxed)
    }

    /// About what of the file is taken once everything committed so far is in it: by this a quota goes, or a burst of writes would
    /// run past it before the first of them is measured.
    pub fn coming_size_in_use(&self) -> u64 {
        self.size_in_use().saturating_add(self.waiting_bytes())
    }

    /// What is gathered in memory for the next transaction, about, in bytes.
    pub fn waiting_bytes(&self) -> u64 {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// What redb keeps of the file in memory, in bytes.
    pub fn cached_bytes(&self) -> usize {
        let view = Arc::clone(&self.shared.contents.load().buffers.read().view);
        view.database().cache_stats().used_bytes()
    }

    /// What of [`Backend::size`] is in use and cannot be written again; what a compaction frees is known when it is over.
    pub fn size_in_use(&self) -> u64 {
        self.size().saturating_sub(self.shared.reusable())
    }

    /// About what a dense copy of the file would take: what [`Backend::size`] is after a defragmentation.
    pub fn dense_size(&self) -> u64 {
        self.shared.dense_size()
    }

    /// Has the flusher do something between two transactions.
    fn ask<T>(&self, job: impl FnOnce(mpsc::SyncSender<Result<T, BackendError>>) -> Job) -> Result<T, BackendError> {
        let (answer, result) = mpsc::sync_channel(1);
        {
            let mut control = self.shared.control.lock();
            while control.job.is_some() && control.failure.is_none() {
                self.shared.done.wait(&mut control);
            }
            if let Some(failure) = &control.failure {
                return Err(failure.clone());
            }
            control.job = Some(job(answer));
            self.shared.wake.notify_one();
        }
        result.recv().unwrap_or(Err(BackendError::Closed))
    }
}

impl Drop for Backend {
    /// Everything committed is durable afterwards, unless writing fails.
    fn drop(&mut self) {
        self.shared.control.lock().stop = true;
        self.shared.wake.notify_one();
        if let Some(flusher) = self.flusher.lock().take() {
            // It says nothing that the log has not said.
            let _ = flusher.join();
        }
    }
}

impl Shared {
    fn flush(&self) -> Result<Applied, BackendError> {
        let mut control = self.control.lock();
        control.requested += 1;
        let request = control.requested;
        self.wake.notify_one();
        loop {
            if control.completed >= request {
                return Ok(control.durable);
            }
            if let Some(failure) = &control.failure {
                return Err(failure.clone());
            }
            self.done.wait(&mut control);
        }
    }

    fn measure(&self) {
        if let Ok(bytes) = on_disk::allocated_bytes(&self.path) {
            self.size.store(bytes, Ordering::Relaxed);
        }
    }

    /// A name beside the database for a file that is not complete yet.
    fn temporary(&self, purpose: &str) -> PathBuf {
        temporary(&self.path, purpose)
    }
}

fn temporary(path: &Path, purpose: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(TEMPORARY);
    name.push(purpose);
    path.with_file_name(name)
}

/// What follows the database's name in that of a file that is not complete yet.
const TEMPORARY: &str = ".tmp.";

/// The purpose of a temporary file that an [`ImageWriter`] fills.
const IMAGE: &str = "image";

/// Removes the incomplete copies and images of a process that is gone; the database is locked, so none of them is
/// in use.
fn remove_leftovers(path: &Path) {
    let prefix = temporary(path, "");
    let image = temporary(Path::new(""), IMAGE);
    let Some(files) = path.parent().and_then(|directory| std::fs::read_dir(directory).ok()) else { return };
    for file in files.filter_map(|file| Some(file.ok()?.path())) {
        let name = file.as_os_str().as_encoded_bytes();
        if name.starts_with(prefix.as_os_str().as_encoded_bytes())
            || name.ends_with(image.as_os_str().as_encoded_bytes())
        {
            info!(file = %file.display(), "removing an incomplete copy of the database");
            // It takes space, no more; another start tries again.
            let _ = std::fs::remove_file(&file);
        }
    }
}

/// redb asserts what it reads of a damaged file. That is an error like others: nothing of ours is left half done.
fn guarded<T>(path: &Path, access: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
    catch_unwind(AssertUnwindSafe(access))
        .unwrap_or_else(|panic| Err(BackendError::corrupt(path, thread_panic::message(&*panic))))
}

/// Under another name first: a file in its place is always complete.
fn create(files: &Files, path: &Path) -> Result<(Database, Found), BackendError> {
    let new = temporary(path, "new");
    let database = files.create(&new)?;
    schema::create(&database)
        .and_then(|()| schema::put_version(&database))
        .map_err(|error| BackendError::from_redb(&new, error))?;
    on_disk::rename(&new, path)?;
    on_disk::sync_directory(path)?;
    let found = schema::check(path, &database)?;
    Ok((database, found))
}
