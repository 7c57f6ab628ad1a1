//! Why a member does not start: one line each, for the operator.

use std::path::PathBuf;

use keyport_raft::StartError;
use keyport_raft::wal::WalError;
use keyport_storage::backend::BackendError;
use keyport_storage::lease::RecoverError;

use crate::membership::MembershipError;

/// A start that failed. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    #[error("{}: {action}: {source}", path.display())]
    Io { path: PathBuf, action: &'static str, source: std::io::Error },
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    Wal(#[from] WalError),
    #[error(transparent)]
    Raft(#[from] StartError),
    #[error(transparent)]
    Membership(#[from] MembershipError),
    #[error("couldn't find local name {0:?} in the initial cluster configuration")]
    NotInCluster(String),
    #[error("--initial-cluster has {0:?} with URLs that differ from --initial-advertise-peer-urls")]
    PeerUrlsDiffer(String),
    #[error("clusters of more than one member are not supported by this release (--initial-cluster names {0})")]
    MoreThanOneMember(usize),
    #[error("joining an existing cluster is not supported by this release (--initial-cluster-state=existing)")]
    JoinExisting,
    #[error("{}: has a database but no write-ahead log; restore both or neither", .0.display())]
    LogMissing(PathBuf),
    #[error("cannot start thread {0}: {1}")]
    Thread(&'static str, std::io::Error),
}
