//! etcd's database becomes ours, once, in its place.
//!
//! The new one is built and synced beside it. Then the old file gets a second name, which it keeps, and the new one is
//! renamed over the first. So a crash leaves etcd's directory as it was, with a name more or a file that the next start
//! removes, or the converted one, whole. The log is not touched: it goes on as it is.

use std::fs::{self, File, Metadata, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use keyport_raft::wal::{Disk, Recovered, Wal, WalError};
use keyport_storage::backend::schema::CONF_STATE;
use keyport_storage::backend::{BackendOptions, Bucket, Changes, ImportOptions, import};
use keyport_storage::bbolt::{Counted, Reader};

use super::database::{self, Database};
use super::refusal::{Refusal, TakeOverError};
use super::{history, old_store, snap_file};
use crate::command_line::Progress;
use crate::staging::{sync_name, with_ending};
use crate::state::{SnapshotFiles, conf_state};

/// What follows the database's name in that of the one that etcd left.
const KEPT: &str = ".etcd";
/// The same for the new one on its way. Whoever opens the database removes what is left with such a name.
const UNFINISHED: &str = ".tmp.converted";

/// Where things are.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    pub(crate) database: &'a Path,
    pub(crate) snapshots: &'a SnapshotFiles,
    /// The log, which nobody else uses now.
    pub(crate) log: &'a dyn Disk,
}

/// Converts the database of a stopped etcd. Nothing happens where there is none, or one of ours.
///
/// # Errors
/// When it cannot be taken over. The directory is as it was then.
pub(crate) fn take_over(places: &Places<'_>, options: BackendOptions) -> Result<(), TakeOverError> {
    convert(places, options).map_err(|reason| TakeOverError::new(places.database.to_owned(), reason))
}

fn convert(places: &Places<'_>, options: BackendOptions) -> Result<(), Refusal> {
    if !database::is_etcds(places.database)? {
        return Ok(());
    }
    // bbolt locks its file in the same way, for as long as an etcd has it open.
    let lock = lock(places.database)?;
    let (database, log) = find(places)?;
    let configuration = history::check(&database, &log)?;
    check_old_store(places.database)?;
    let kept = with_ending(places.database, KEPT);
    let is_kept = is_kept(&kept, &database.path)?;

    let (began, bytes) = (Instant::now(), database.reader.bytes());
    let file = database.path.display();
    tracing::info!(%file, bytes, index = database.applied.index, "taking over the database that an etcd left");
    let row = conf_state::row(&configuration).map_err(|_| Refusal::Row("confState"))?;
    let wanted = ImportOptions { changes: Changes::none().put(Bucket::Meta, CONF_STATE, row), bump: None };
    let unfinished = with_ending(places.database, UNFINISHED);
    let (mut progress, mut done) = (Progress::new(), 0_u64);
    let source = Counted::new(at(&database.path, File::open(&database.path))?, move |read: usize| {
        done = done.saturating_add(read as u64);
        progress.show("taking over", done.min(bytes), bytes);
    });
    let reader = Reader::open(source)?;
    import((&database.path, &reader), &unfinished, options, &wanted)?;
    drop(reader);
    if !is_kept {
        at(&kept, fs::hard_link(&database.path, &kept))?;
        at(places.database, sync_name(places.database))?;
    }
    at(places.database, fs::rename(&unfinished, places.database))?;
    at(places.database, sync_name(places.database))?;
    drop(lock);
    tracing::info!(kept = %kept.display(), took = ?began.elapsed(), "took over the database; what the etcd left is kept");
    Ok(())
}

/// The database that counts, and the log behind it: that may go on from a state that a leader sent, and that did not come to
/// take the place of the one before.
fn find(places: &Places<'_>) -> Result<(Database, Recovered), Refusal> {
    if !Wal::exists(places.log)? {
        return Err(Refusal::NoLog(places.log.path().to_owned()));
    }
    let database = database::open(places.database)?;
    match Wal::look(places.log, database.applied.index) {
        Ok(log) => Ok((database, log)),
        Err(WalError::SnapshotNeeded { index, .. }) if database::is_etcds(&places.snapshots.path(index))? => {
            let received = database::open(&places.snapshots.path(index))?;
            let log = Wal::look(places.log, received.applied.index)?;
            Ok((received, log))
        }
        Err(error) => Err(error.into()),
    }
}

/// Keys of the store that is no more would be lost without a word.
fn check_old_store(database: &Path) -> Result<(), Refusal> {
    let directory = database.parent().unwrap_or(database);
    let Some(store) = at(directory, snap_file::newest_store(directory))? else { return Ok(()) };
    match old_store::has_keys(&store) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Refusal::OldKeys("its newest snapshot file has keys of it".to_owned())),
        Err(error) => Err(Refusal::OldKeys(format!("its newest snapshot file cannot be read: {error}"))),
    }
}

fn lock(path: &Path) -> Result<File, Refusal> {
    let file = at(path, File::open(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Refusal::InUse),
        Err(TryLockError::Error(source)) => Err(Refusal::Io { path: path.to_owned(), source }),
    }
}

/// Whether an earlier start came so far as to keep the file.
fn is_kept(kept: &Path, file: &Path) -> Result<bool, Refusal> {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    match fs::symlink_metadata(kept).map(identity) {
        Ok(found) if found == identity(at(file, fs::metadata(file))?) => Ok(true),
        Ok(_) => Err(Refusal::KeptBefore(kept.to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Refusal::Io { path: kept.to_owned(), source }),
    }
}

fn at<T>(path: &Path, result: std::io::Result<T>) -> Result<T, Refusal> {
    result.map_err(|source| Refusal::Io { path: path.to_owned(), source })
}
