//! Why a directory of etcd's is not taken over, and what its operator can do instead.

use std::io;
use std::path::PathBuf;

use keyport_raft::DriverError;
use keyport_raft::wal::WalError;
use keyport_storage::backend::{Applied, BackendError};
use keyport_storage::bbolt::ReadError;

use crate::apply::NotUnderstood;
use crate::membership::MembershipError;
use crate::version::ETCD_CLUSTER;

/// A start that would have been the first one after an etcd. The directory is as it was.
#[derive(Debug, thiserror::Error)]
#[error(
    "the data directory was left by an etcd and cannot be taken over: {}: {reason}. {}. Nothing in it was changed",
    database.display(), reason.way_out()
)]
pub struct TakeOverError {
    database: PathBuf,
    #[source]
    reason: Box<Refusal>,
}

impl TakeOverError {
    pub(super) fn new(database: PathBuf, reason: Refusal) -> TakeOverError {
        TakeOverError { database, reason: Box::new(reason) }
    }
}

/// The reason by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is in use by another process")]
    InUse,
    #[error("{0}")]
    Database(#[from] ReadError),
    #[error("the row {0} cannot be read")]
    Row(&'static str),
    #[error("its members cannot be read: {0}")]
    Members(#[from] MembershipError),
    #[error("there is no write-ahead log in {}", .0.display())]
    NoLog(PathBuf),
    #[error("{0}")]
    Log(#[from] WalError),
    #[error("the log cannot be followed: {0}")]
    Raft(#[from] DriverError),
    #[error("an etcd before 3.5 has written it: it does not say of which term its last entry is")]
    Older,
    #[error("its {what} is {found}, and this program knows {}", ETCD_CLUSTER)]
    Newer { what: &'static str, found: String },
    #[error(
        "it was written at entry {} of term {}, but in the log that entry has {}",
        applied.index, applied.term, in_log.map_or("no place".into(), |term| format!("term {term}"))
    )]
    OtherLog { applied: Applied, in_log: Option<u64> },
    #[error("its members are {rows}, but by the log they are {log}")]
    OtherMembers { rows: String, log: String },
    #[error("entry {index} of the log, which is still to be applied, is not understood: {source}")]
    Entry { index: u64, source: NotUnderstood },
    #[error("it is of a cluster that was used by etcd's API of version 2: {0}")]
    OldKeys(String),
    #[error("{} is there already and is another file", .0.display())]
    KeptBefore(PathBuf),
    #[error("{0}")]
    Import(#[from] BackendError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

const BACKUP: &str = "save a backup of a member that runs (`etcdctl snapshot save`) and make every member's directory of that \
                      (`keyport snapshot restore`)";

impl Refusal {
    fn way_out(&self) -> String {
        match self {
            Refusal::InUse => "Stop the etcd that uses it".to_owned(),
            Refusal::NoLog(_) => {
                "Say with --wal-dir where it is, as the etcd was told; if it is lost, the database alone is \
                                  a backup: `keyport snapshot restore --skip-hash-check`"
                    .to_owned()
            }
            Refusal::Older => "Start an etcd 3.5 on it, wait until it serves, and stop it".to_owned(),
            Refusal::Newer { .. } => {
                format!(
                    "Take the cluster there first (`etcdctl downgrade enable`, an etcd of that release on each member); or {BACKUP}"
                )
            }
            Refusal::OldKeys(_) => format!("They would be lost. If nobody needs them, {BACKUP}"),
            Refusal::KeptBefore(_) => "It is what an earlier take-over kept: move it elsewhere".to_owned(),
            Refusal::Import(BackendError::NoRoom { .. } | BackendError::NoSpace(_)) => {
                "Make room: the converted database stands beside the old one, which is kept".to_owned()
            }
            Refusal::Import(BackendError::Io { .. } | BackendError::Unwritable { .. }) | Refusal::Io { .. } => {
                "Try again when that is put right".to_owned()
            }
            Refusal::Database(_)
            | Refusal::Row(_)
            | Refusal::Members(_)
            | Refusal::Log(_)
            | Refusal::Raft(_)
            | Refusal::OtherLog { .. }
            | Refusal::OtherMembers { .. }
            | Refusal::Entry { .. }
            | Refusal::Import(_) => format!(
                "See whether the etcd that left it starts on it, and stop it with SIGTERM, which leaves it in order; or {BACKUP}"
            ),
        }
    }
}
