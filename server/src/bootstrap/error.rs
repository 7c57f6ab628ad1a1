//! Why a member does not start: one line each, for the operator.

use std::path::{Path, PathBuf};

use keyport_raft::wal::WalError;
use keyport_raft::{ForceNewError, StartError};
use keyport_storage::backend::{Applied, BackendError};
use keyport_storage::lease::RecoverError;
use keyport_storage::mvcc::MvccError;

use super::discovery::DiscoveryError;
use super::existing::FetchError;
use crate::auth::identities::KeySetError;
use crate::auth::tokens::KeyError;
use crate::etcd_dir::TakeOverError;
use crate::membership::MembershipError;
use crate::node::corruption::CorruptionError;
use crate::tls::TlsError;
use crate::version;

/// A start that failed. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    #[error("{}: {action}: {source}", path.display())]
    Io { path: PathBuf, action: &'static str, source: std::io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error("cannot count the keys: {0}")]
    Count(#[from] MvccError),
    #[error(transparent)]
    Wal(#[from] WalError),
    #[error(transparent)]
    Raft(#[from] StartError),
    #[error(transparent)]
    Membership(#[from] MembershipError),
    #[error(transparent)]
    Tokens(#[from] KeyError),
    #[error("--identity-jwks: {0}")]
    Identities(#[from] KeySetError),
    #[error("couldn't find local name {0:?} in the initial cluster configuration")]
    NotInCluster(String),
    #[error("--initial-cluster has {listed} but missing from --initial-advertise-peer-urls={advertised} ({reason})")]
    NotAdvertised { listed: String, advertised: String, reason: String },
    #[error("--initial-advertise-peer-urls has {advertised} but missing from --initial-cluster={listed}")]
    NotListed { advertised: String, listed: String },
    #[error("initial cluster {0} has duplicate url")]
    DuplicateUrl(String),
    #[error("member {name:?} would have the unusable ID {id:x}: choose another --initial-cluster-token")]
    UnusableId { id: u64, name: String },
    #[error("member {0:x} has already been bootstrapped")]
    AlreadyBootstrapped(u64),
    #[error(
        "member {id:x} has already been bootstrapped, but its data directory {} has no write-ahead log: what it had promised \
         is lost; remove the member from the cluster, then add it again and start it with --initial-cluster-state=existing",
        data_dir.display()
    )]
    DataLost { id: u64, data_dir: PathBuf },
    #[error("cannot fetch cluster info from peer urls: {0}")]
    Fetch(FetchError),
    #[error("error validating peerURLs: member count is unequal")]
    UnequalCount,
    #[error(
        "error validating peerURLs: PeerURLs: no match found for existing member ({id:x}, [{urls}]), last resolver error ({reason})"
    )]
    Unmatched { id: u64, urls: String, reason: String },
    #[error("cluster ID mismatch: the peers are cluster {expected:x}, but member {member:x} says {found:x}")]
    ClusterIdMismatch { expected: u64, member: u64, found: u64 },
    #[error(
        "the cluster is of version {found}, and this program serves {}: start the release that ran here, and take the cluster to \
         this one with a downgrade first (`etcdctl downgrade enable`)",
        version::ETCD_CLUSTER
    )]
    NewerCluster { found: String },
    #[error("incompatible with current running cluster")]
    Incompatible,
    #[error(transparent)]
    Corruption(#[from] CorruptionError),
    #[error(
        "the member {id:x} has been permanently removed from the cluster: its data directory {} must be removed before it can join again", data_dir.display()
    )]
    Removed { id: u64, data_dir: PathBuf },
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
    #[error("cannot force a new cluster: {0}")]
    ForceNew(#[from] ForceNewError),
    #[error("{}: has a database but no write-ahead log; restore both or neither", .0.display())]
    LogMissing(PathBuf),
    #[error(
        "the database was written at entry {} of term {}, but in the log that entry has {}: they do not belong together",
        applied.index, applied.term, term_of(*in_log)
    )]
    OtherLog { applied: Applied, in_log: Option<u64> },
    #[error("cannot start thread {0}: {1}")]
    Thread(&'static str, std::io::Error),
}

fn term_of(in_log: Option<u64>) -> String {
    in_log.map_or("no place".into(), |term| format!("term {term}"))
}

impl BootstrapError {
    /// The same, for whoever knows where the data should have been.
    pub(super) fn naming(self, data_dir: &Path) -> BootstrapError {
        match self {
            BootstrapError::AlreadyBootstrapped(id) => BootstrapError::DataLost { id, data_dir: data_dir.to_owned() },
            other => other,
        }
    }
}
