//! A directory that etcd starts from: the same member of the same cluster, at the same place in the log.
//!
//! Releases differ in what they want, and this suits 3.5 to 3.8: the rows say nothing of a version that one of them does not
//! know, a snapshot file has the members for those that look there, and the log begins behind the last entry that tells of
//! Keyport's own version, which an older etcd would not go on from. It is made under another name and renamed when it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyport_api::raftpb::{ConfState, Entry, EntryType, HardState};
use keyport_raft::copy_log;
use keyport_raft::wal::{FsDisk, Recovered, SnapshotMark, Wal, WalError, WalOptions, make_dir};
use keyport_storage::backend::schema::STORAGE_VERSION_KEY;
use keyport_storage::backend::{Applied, Backend, BackendError, BackendOptions, Bucket, Changes};

use super::database::is_etcds;
use super::refusal::Refusal;
use super::{old_store, snap_file};
use crate::apply::{Command, Proposal};
use crate::command_line::Progress;
use crate::membership::{Membership, MembershipError, without_versions};
use crate::staging::{Stage, StageError};
use crate::state::conf_state;
use crate::version::ETCD_COPY;

/// What the directory is called, or ends with, until it is whole.
const UNFINISHED: &str = ".migrating";

/// What was asked for.
#[derive(Debug, clap::Args)]
pub(super) struct ToEtcd {
    /// The data directory that the member left
    #[arg(long)]
    data_dir: PathBuf,
    /// Where its write-ahead log is, if not in the data directory
    #[arg(long)]
    wal_dir: Option<PathBuf>,
    /// The data directory for etcd, which is made, or filled if it is there and empty
    #[arg(long, value_name = "DIRECTORY", required = true)]
    to_etcd: PathBuf,
}

/// What has been done.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) directory: PathBuf,
    pub(super) member_id: u64,
    pub(super) cluster_id: u64,
    pub(super) applied: u64,
    /// Those that it has of the log.
    pub(super) entries: usize,
}

/// Why there is no directory.
#[derive(Debug, thiserror::Error)]
pub(super) enum ToEtcdError {
    #[error("{} has no {what}: is it the data directory of a member?", path.display())]
    Nothing { path: PathBuf, what: &'static str },
    #[error("{} is a database of etcd's: an etcd can be started on this directory as it is", .0.display())]
    Already(PathBuf),
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: Refusal },
    #[error("{} is there already, and is no empty directory", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    Database(#[from] BackendError),
    #[error(transparent)]
    Log(#[from] WalError),
    #[error(transparent)]
    Members(#[from] MembershipError),
    #[error(
        "{what} at entry {index} is not applied yet, and an older etcd would not start on it: start the member once more, and stop it with SIGTERM"
    )]
    Unapplied { what: &'static str, index: u64 },
    #[error("the member has not applied anything yet: there is nothing to take along")]
    Empty,
    #[error("the database was written at entry {} of term {}, which the log does not have", .0.index, .0.term)]
    OtherLog(Applied),
    #[error("the database does not say what Raft's configuration is")]
    NoConfiguration,
    #[error("no snapshot file can be made: {0}")]
    Store(#[from] serde_json::Error),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl ToEtcd {
    /// # Errors
    /// See [`ToEtcdError`]. Nothing is where the directory was to be then. The member can go on with its own in any case.
    pub(super) fn run(self) -> Result<Done, ToEtcdError> {
        let member = self.data_dir.join("member");
        let (database, log) = (member.join("snap/db"), self.wal_dir.unwrap_or_else(|| member.join("wal")));
        for (path, what) in [(&database, "database"), (&log, "write-ahead log")] {
            if !path.exists() {
                return Err(ToEtcdError::Nothing { path: self.data_dir, what });
            }
        }
        if !Stage::is_free(&self.to_etcd, UNFINISHED) {
            return Err(ToEtcdError::Exists(self.to_etcd));
        }
        match is_etcds(&database) {
            Ok(false) => {}
            Ok(true) => return Err(ToEtcdError::Already(database)),
            Err(source) => return Err(ToEtcdError::Unreadable { path: database, source }),
        }
        // Locked, both of them: a member that runs is not to be copied.
        let disk = FsDisk::open(&log)?;
        let backend = Backend::open(&database, BackendOptions::default())?;
        let log = Wal::look(&disk, backend.durable_applied().index)?;
        let log = shortened(&backend, log)?;

        let stage = Stage::begin(&self.to_etcd, UNFINISHED)?;
        let done = fill(&stage.temporary, &backend, &log)?;
        stage.finish()?;
        Ok(Done { directory: self.to_etcd, ..done })
    }
}

fn fill(directory: &Path, backend: &Backend, log: &Recovered) -> Result<Done, ToEtcdError> {
    let (snap, wal) = (directory.join("member/snap"), directory.join("member/wal"));
    at(&snap, make_dir(&snap))?;
    at(&wal, make_dir(&wal))?;
    let changes = without_versions(Changes::none()).put(Bucket::Meta, STORAGE_VERSION_KEY, ETCD_COPY);
    let database = snap.join("db");
    let mut progress = Progress::new();
    let (written, all) = (|| fs::metadata(&database).map_or(0, |metadata| metadata.len()), backend.size_in_use());
    backend.save(&database, &changes, &mut || {
        progress.show_with("writing", || (written().min(all), all));
        true
    })?;
    drop(progress);
    at(&database, File::open(&database).and_then(|file| file.sync_all()))?;
    let store = old_store::of_cluster(&Membership::load(backend)?.roster())?;
    at(&snap, snap_file::write(&snap, &log.snapshot, store))?;
    at(&snap, sync_names(&snap))?;
    let options = WalOptions { background: false, ..WalOptions::default() };
    copy_log(Arc::new(FsDisk::open(&wal)?), options, log)?;
    Ok(Done {
        directory: directory.to_owned(),
        member_id: log.metadata.node_id,
        cluster_id: log.metadata.cluster_id,
        applied: backend.durable_applied().index,
        entries: log.entries.len(),
    })
}

/// The log from behind the last entry that etcd must not see again: what it has to know of those is in the snapshot file.
/// The rest stays, so that members that are not at the same place catch up as ever.
fn shortened(backend: &Backend, log: Recovered) -> Result<Recovered, ToEtcdError> {
    let applied = backend.durable_applied();
    if applied.index == 0 {
        return Err(ToEtcdError::Empty);
    }
    if log.term_at(applied.index) != Some(applied.term) {
        return Err(ToEtcdError::OtherLog(applied));
    }
    let conf_state = conf_state::load(backend)?.ok_or(ToEtcdError::NoConfiguration)?;
    let mut from = log.snapshot.index;
    for entry in &log.entries {
        match about_cluster(entry) {
            Some(_) if entry.index() <= applied.index => from = entry.index(),
            Some(what @ VERSION) => return Err(ToEtcdError::Unapplied { what, index: entry.index() }),
            Some(_) | None => {}
        }
    }
    let snapshot = mark(&log, from, conf_state);
    let Recovered { metadata, hard_state, mut entries, .. } = log;
    entries.retain(|entry| entry.index() > from);
    // What is applied was committed, though the log learns of it late.
    let commit = Some(hard_state.commit().max(applied.index));
    Ok(Recovered { metadata, hard_state: HardState { commit, ..hard_state }, snapshot, entries, repaired: None })
}

/// No change of the configuration is between the mark and what is applied, so it is the same at both.
fn mark(log: &Recovered, index: u64, conf_state: ConfState) -> SnapshotMark {
    SnapshotMark { index, term: log.term_at(index).unwrap_or_default(), conf_state }
}

const VERSION: &str = "a change of the cluster's version";

/// What an entry says of the cluster itself, if that is what it is about.
fn about_cluster(entry: &Entry) -> Option<&'static str> {
    if entry.r#type() != EntryType::EntryNormal {
        return Some("a change of the members");
    }
    // What cannot be read was applied, or stops whoever comes to it.
    match Proposal::decode(&entry.data.clone().unwrap_or_default()).ok()?.command {
        Command::ClusterVersionSet(_) | Command::DowngradeInfoSet(_) => Some(VERSION),
        Command::ClusterMemberAttrSet(_) => Some("a member's name"),
        _ => None,
    }
}

fn sync_names(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, ToEtcdError> {
    result.map_err(|source| ToEtcdError::Io { path: path.to_owned(), source })
}
