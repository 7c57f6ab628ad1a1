//! The whole state on its way between members: read here, written there, put in place.
//!
//! What a leader sends is built as `<index>.snap.db` beside the database and is durable before Raft hears of it. Raft
//! records in the log that it continues from there, and then the file takes the database's place. If the process ends
//! in between, the next start finds the log ahead of the database, and the file that closes the gap.
//!
//! Nobody's word is taken for what is in a file: it has to end with the entry, and to have the configuration, that it was
//! announced with, to go on from what is here, and to hold nothing that cannot be read, or it never gets its name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use std::{fs, io};

use bytes::Bytes;
use keyport_api::raftpb::{ConfState, SnapshotMetadata};
use keyport_raft::peers::{SnapshotRead, SnapshotStore, SnapshotWrite};
use keyport_storage::alarm::Alarms;
use keyport_storage::auth::AuthStore;
use keyport_storage::backend::{
    Applied, Backend, BackendError, BackendOptions, Bucket, ClosedFile, ImageReader, ImageWriter,
};
use keyport_storage::lease::{Lessor, RecoverError};
use keyport_storage::mvcc::Store;

use super::conf_state;
use crate::membership::{Membership, MembershipError};
use crate::metrics::{Histogram, Metrics};

const SUFFIX: &str = ".snap.db";

/// Where snapshots come from and go to.
#[derive(Debug)]
pub(crate) struct Snapshots {
    backend: Arc<Backend>,
    files: SnapshotFiles,
    /// How received databases are written.
    options: BackendOptions,
    metrics: Arc<Metrics>,
}

impl Snapshots {
    pub(crate) fn new(
        backend: Arc<Backend>,
        files: SnapshotFiles,
        options: BackendOptions,
        metrics: Arc<Metrics>,
    ) -> Snapshots {
        Snapshots { backend, files, options, metrics }
    }
}

impl SnapshotStore for Snapshots {
    fn read(&self) -> io::Result<Box<dyn SnapshotRead>> {
        let image = self.backend.image().map_err(io::Error::other)?;
        let row = image.get(Bucket::Meta, conf_state::KEY).map_err(io::Error::other)?;
        let row = row.ok_or_else(|| io::Error::other("the database has no configuration yet"))?;
        let conf_state = conf_state::parse(&row)?;
        Ok(Box::new(Outgoing {
            image,
            conf_state,
            began: Instant::now(),
            duration: self.metrics.backend_snapshot.clone(),
        }))
    }

    fn write(&self, metadata: &SnapshotMetadata) -> io::Result<Box<dyn SnapshotWrite>> {
        let applied = self.backend.flush().map_err(io::Error::other)?;
        if !goes_on(applied, metadata) {
            return Err(Unfit::Older(entry_of(metadata), applied).into());
        }
        // Only what the database has overtaken: a newer one may be about to be installed.
        self.files.clean(applied.index, false)?;
        let path = self.files.path(metadata.index());
        let writer = ImageWriter::create(&path, self.options.clone()).map_err(io::Error::other)?;
        let (promised, began) = (metadata.clone(), Instant::now());
        Ok(Box::new(Incoming { writer, promised, began, metrics: Arc::clone(&self.metrics) }))
    }
}

struct Outgoing {
    image: ImageReader,
    conf_state: ConfState,
    began: Instant,
    /// How long it took, once all is read.
    duration: Histogram,
}

impl SnapshotRead for Outgoing {
    fn metadata(&self) -> SnapshotMetadata {
        let applied = self.image.applied();
        SnapshotMetadata {
            conf_state: Some(self.conf_state.clone()),
            index: Some(applied.index),
            term: Some(applied.term),
        }
    }

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = self.image.next_chunk().map_err(io::Error::other)?;
        if chunk.is_none() {
            self.duration.observe(self.began.elapsed().as_secs_f64());
        }
        Ok(chunk)
    }
}

struct Incoming {
    writer: ImageWriter,
    promised: SnapshotMetadata,
    began: Instant,
    metrics: Arc<Metrics>,
}

impl SnapshotWrite for Incoming {
    fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        self.writer.write(&chunk).map_err(io::Error::other)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let Incoming { writer, promised, began, metrics } = *self;
        let sync = metrics.snap_db_fsync.start_timer();
        writer.finish_if(|file, found| check(file, found, &promised))?;
        sync.observe_duration();
        metrics.snap_db_save.observe(began.elapsed().as_secs_f64());
        Ok(())
    }
}

/// Why a received state is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Row(#[from] RecoverError),
    #[error(transparent)]
    Membership(#[from] MembershipError),
    #[error("the snapshot is at entry {} of term {}", .0.index, .0.term)]
    OtherEntry(Applied),
    #[error("the snapshot has another configuration than the log goes on with: {0}")]
    OtherConfiguration(String),
    #[error("entry {} of term {} does not follow on entry {} of term {}", .0.index, .0.term, .1.index, .1.term)]
    Older(Applied, Applied),
}

impl From<Unfit> for io::Error {
    fn from(unfit: Unfit) -> io::Error {
        match unfit {
            // The file itself, and nothing in it.
            Unfit::Backend(error) | Unfit::Row(RecoverError::Backend(error))
                if !matches!(error, BackendError::Corrupt { .. }) =>
            {
                io::Error::other(error)
            }
            unfit => io::Error::new(io::ErrorKind::InvalidData, unfit),
        }
    }
}

/// Whether a state as of there may take the place of this one: terms never fall along a log.
fn goes_on(applied: Applied, snapshot: &SnapshotMetadata) -> bool {
    let next = entry_of(snapshot);
    next == applied || (next.index > applied.index && next.term >= applied.term)
}

fn entry_of(snapshot: &SnapshotMetadata) -> Applied {
    Applied { index: snapshot.index(), term: snapshot.term() }
}

/// Whether a complete file, with `found` as its last entry, is what was promised: Raft goes on from what it was told, and a
/// restart from what is in the file.
fn check(file: &Path, found: Applied, promised: &SnapshotMetadata) -> Result<(), Unfit> {
    if found != entry_of(promised) {
        return Err(Unfit::OtherEntry(found));
    }
    let file = ClosedFile::open(file)?;
    let conf_state = conf_state::load(&file)?;
    let expected = promised.conf_state.clone().unwrap_or_default();
    if !conf_state.as_ref().is_some_and(|found| conf_state::is_same(found, &expected)) {
        return Err(Unfit::OtherConfiguration(format!("{conf_state:?} instead of {expected:?}")));
    }
    // What could not be read after the file was put in place would end the member, at every start. History was looked at as
    // it came in.
    Store::check(&file)?;
    Lessor::check(&file)?;
    Alarms::check(&file)?;
    AuthStore::check(&file)?;
    Membership::check_rows(&file)?;
    Ok(())
}

/// The files of received snapshots.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFiles(PathBuf);

impl SnapshotFiles {
    pub(crate) fn in_directory(directory: &Path) -> SnapshotFiles {
        SnapshotFiles(directory.to_owned())
    }

    /// The file of the snapshot at `index`.
    pub(crate) fn path(&self, index: u64) -> PathBuf {
        self.0.join(format!("{index:016x}{SUFFIX}"))
    }

    /// The file of a received snapshot that may take the place of a state as of `applied`.
    ///
    /// # Errors
    /// When it is not what the log goes on with, or not newer; or it cannot be read.
    pub(crate) fn find(&self, snapshot: &SnapshotMetadata, applied: Applied) -> Result<PathBuf, Unfit> {
        if !goes_on(applied, snapshot) {
            return Err(Unfit::Older(entry_of(snapshot), applied));
        }
        let file = self.path(snapshot.index());
        let found = ClosedFile::open(&file)?.applied();
        check(&file, found, snapshot)?;
        Ok(file)
    }

    /// Removes what nobody needs any more: snapshots no newer than the database, which is at `applied`, and at a start
    /// those that never became complete.
    ///
    /// # Errors
    /// When the directory cannot be read or a file not be removed.
    pub(crate) fn clean(&self, applied: u64, starting: bool) -> io::Result<()> {
        for file in fs::read_dir(&self.0)? {
            let file = file?;
            let name = file.file_name();
            let Some((index, rest)) = name.to_str().and_then(|name| name.split_once(SUFFIX)) else { continue };
            let old = rest.is_empty() && u64::from_str_radix(index, 16).is_ok_and(|index| index <= applied);
            if old || (starting && !rest.is_empty()) {
                fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }
}
