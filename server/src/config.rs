//! The server's settings: etcd's flags, environment and file, in etcd's order of precedence.
//!
//! [`load`] is a pure function of what it is given ([`Sources`]). The command line sets values; a variable for the same
//! setting is then an error, not a tie; a configuration file replaces both. Nothing here touches disks or sockets.

mod amount;
mod args;
mod auto_defrag;
mod backups;
mod build;
mod cluster;
mod console;
mod duration;
mod file;
mod flag;
mod flags;
mod former;
mod gates;
mod gone;
mod help;
mod identity;
mod log;
mod origins;
mod rates;
mod settings;
mod source;
mod suggest;
mod tls;
mod tokens;
mod traces;
mod url;

pub use amount::Amount;
pub use auto_defrag::AutoDefragConfig;
pub use backups::BackupConfig;
pub(crate) use cluster::parse_members;
pub use console::ConsoleMode;
pub(crate) use duration::parse as parse_duration;
pub use gates::{FeatureGates, Gate};
pub(crate) use help::{FlagText, flag_texts};
pub use help::{usage, version_text};
pub use identity::{ClaimPath, IdentityConfig, KeySource, WebUrl, WebUrlError};
pub use log::{LogConfig, LogFormat, LogLevel, LogOutput, Rotation};
pub(crate) use origins::canonical as canonical_origin;
pub use rates::{Rate, RatesConfig};
pub use source::{Action, Sources, load};
#[cfg(test)]
pub(crate) use suggest::COMMANDS;
pub(crate) use suggest::nearest;
pub use tls::{Allowed, AutoTls, KeyPairFiles, TlsConfig, TlsSide, TlsTerms, TlsVersions};
pub use tokens::{JwtConfig, SignMethod, TokenConfig, TokenKind};
pub use traces::{A_MILLION, TracesConfig};
pub use url::{Scheme, Url, UrlError};

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyport_api::bounds;

const DEFAULT_QUOTA_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Checked settings. Zeroes that mean "the default" are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub name: String,
    pub data_dir: PathBuf,
    pub wal_dir: Option<PathBuf>,
    pub snapshot_count: u64,
    pub snapshot_catchup_entries: u64,
    /// `None` when the quota is switched off.
    pub quota_backend_bytes: Option<u64>,
    /// How much of the memory that the process may use values may take.
    pub value_cache: Amount,
    pub backend_batch_interval: Duration,
    pub backend_batch_limit: usize,
    /// What must be free in the database for it to be defragmented at start; `None` when it never is.
    pub bootstrap_defrag_threshold_bytes: Option<u64>,
    /// When this member is defragmented by itself; `None` when it never is.
    pub auto_defrag: Option<AutoDefragConfig>,
    /// Those that this member makes of itself; `None` when it makes none.
    pub backups: Option<BackupConfig>,
    pub unsafe_no_fsync: bool,
    /// Whether nothing of the process is paged out.
    pub memory_mlock: bool,
    pub heartbeat_interval: Duration,
    pub election_timeout: Duration,
    pub pre_vote: bool,
    /// Whether a restarted member of several does not wait a whole election timeout for a leader.
    pub initial_election_tick_advance: bool,
    /// How long a connection to a peer may stay silent.
    pub raft_read_timeout: Duration,
    /// How long it may take nothing of what waits for it.
    pub raft_write_timeout: Duration,
    pub max_txn_ops: usize,
    /// What users are given for their passwords.
    pub tokens: TokenConfig,
    /// Whose tokens are taken beside those; `None` when nobody's are.
    pub identity: Option<IdentityConfig>,
    /// Where it is written down who asked for what; `None` when it is not.
    pub audit_log: Option<PathBuf>,
    /// What hashing a password costs, in powers of two.
    pub bcrypt_cost: u32,
    pub max_request_bytes: usize,
    pub listen: ListenConfig,
    pub tls: TlsConfig,
    pub http: HttpConfig,
    /// How often may be asked.
    pub rates: RatesConfig,
    pub cluster: ClusterConfig,
    /// `None` when automatic compaction is off.
    pub auto_compaction: Option<AutoCompaction>,
    /// How often current data is compared with the peers'; `None` when it is not.
    pub corrupt_check_interval: Option<Duration>,
    /// How often hashes of compactions are, where the gate is open.
    pub compact_hash_check_interval: Duration,
    /// How often it is looked whether a downgrade is complete; `None` when it is not.
    pub downgrade_check_interval: Option<Duration>,
    pub compaction_batch_limit: usize,
    pub compaction_sleep_interval: Duration,
    pub watch_progress_notify_interval: Duration,
    /// Whether latency histograms of gRPC calls are kept.
    pub metrics_extensive: bool,
    /// By how many parts of their paths keys are counted; `None` when they are not.
    pub metrics_prefix_depth: Option<usize>,
    pub warning_apply_duration: Duration,
    /// `None` when nobody is told of calls.
    pub traces: Option<TracesConfig>,
    pub log: LogConfig,
    /// Whether profiles may be taken.
    pub enable_pprof: bool,
    /// What the console may be used for.
    pub console: ConsoleMode,
    pub feature_gates: FeatureGates,
    /// What to tell the operator once the log is open.
    pub warnings: Vec<String>,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    pub client: Vec<Url>,
    /// When not empty, `client` serves gRPC only.
    pub client_http: Vec<Url>,
    pub metrics: Vec<Url>,
    pub peer: Vec<Url>,
    pub reuse_port: bool,
}

/// How connections and requests are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    pub max_concurrent_streams: u32,
    /// Worked on at once, of one HTTP/2 connection; 0 for as many as there are.
    pub max_concurrent_requests: usize,
    /// Of one address of clients; 0 for as many as it likes.
    pub max_connections_per_address: usize,
    /// How long the rest of a request's head may take.
    pub request_head_timeout: Duration,
    /// `None` when the server sends no pings.
    pub keepalive_interval: Option<Duration>,
    pub keepalive_timeout: Duration,
    /// Between pings that a client may keep while it has calls.
    pub keepalive_min_time: Duration,
    pub enable_gateway: bool,
    pub cors: AllowList,
    pub hosts: AllowList,
    /// Whether a token may stand in the query, where others may write it into their logs.
    pub token_in_query: bool,
    /// Whether certificates say who somebody is over HTTP, too, and not over gRPC alone.
    pub certificate_names: bool,
    pub warning_unary_request_duration: Duration,
}

/// In a list of hosts or origins: those of the server itself.
pub const OWN: &str = "own";

/// `*`, or what is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowList {
    Any,
    Only(Vec<String>),
}

/// What a member is told about its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    pub advertise_peer_urls: Vec<Url>,
    pub advertise_client_urls: Vec<Url>,
    /// Members by name, in the order given.
    pub initial: Vec<(String, Vec<Url>)>,
    /// Where the members are found instead; `initial` is this member alone then.
    pub discovery: Option<Discovery>,
    pub initial_state: InitialState,
    pub token: String,
    /// Whether `initial` was given, rather than derived from the name.
    pub has_initial: bool,
    /// Whether `advertise_peer_urls` were given.
    pub has_advertise_peer_urls: bool,
    /// Make this member a cluster of its own.
    pub force_new: bool,
    pub max_learners: usize,
    /// Refuse membership changes that would lose the quorum.
    pub strict_reconfig_check: bool,
}

/// How founders find each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// By SRV records in a domain; `name` is a suffix of the service's name.
    Srv { domain: String, name: String },
    /// At another cluster.
    Service(DiscoveryService),
}

/// A running etcd or Keyport, where founders register under a token.
#[derive(Clone, PartialEq, Eq)]
pub struct DiscoveryService {
    pub token: String,
    pub endpoints: Vec<Url>,
    pub dial_timeout: Duration,
    pub request_timeout: Duration,
    pub keepalive_time: Duration,
    pub keepalive_timeout: Duration,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// For endpoints with TLS.
    pub tls: Box<TlsSide>,
}

impl fmt::Debug for DiscoveryService {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiscoveryService")
            .field("token", &self.token)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

/// Whether the cluster of `--initial-cluster` exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialState {
    New,
    Existing,
}

/// What history automatic compaction keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoCompaction {
    Periodic(Duration),
    Revision(i64),
}

impl Config {
    /// How long a request may take: 5 s and two elections.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(5) + 2 * self.election_timeout
    }

    /// The election timeout, in heartbeats.
    pub fn election_ticks(&self) -> usize {
        let ticks = self.election_timeout.as_millis() / self.heartbeat_interval.as_millis().max(1);
        usize::try_from(ticks).unwrap_or(usize::MAX)
    }

    /// The shortest lease, in seconds: one and a half election timeouts, so that a lease outlives a change of leader.
    pub fn min_lease_ttl(&self) -> i64 {
        let ms = self.election_timeout.as_millis() * 3 / 2;
        i64::try_from(ms.div_ceil(1000)).unwrap_or(i64::MAX)
    }

    /// The largest message taken from a client, in its protobuf form.
    pub fn max_receive_bytes(&self) -> usize {
        bounds::max_message_bytes(self.max_request_bytes)
    }

    /// The member's directory.
    pub fn member_dir(&self) -> PathBuf {
        self.data_dir.join("member")
    }

    /// Where the write-ahead log lives.
    pub fn wal_path(&self) -> PathBuf {
        self.wal_dir.as_deref().map_or_else(|| self.member_dir().join("wal"), Path::to_path_buf)
    }

    /// Where the Raft snapshots and the database live.
    pub fn snap_path(&self) -> PathBuf {
        self.member_dir().join("snap")
    }
}

/// Why the server does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The command line cannot be read.
    #[error("{0}")]
    Usage(String),
    #[error(
        "conflicting environment variable {0:?} is shadowed by corresponding command-line flag (either unset environment variable or disable flag)"
    )]
    Shadowed(String),
    #[error("conflicting environment variables {0:?} and {1:?} (unset one of them)")]
    TwoVariables(String, String),
    #[error("invalid value {value:?} for {variable}: {reason}")]
    Variable { variable: String, value: String, reason: String },
    #[error("cannot load configuration file {path:?}: {reason}")]
    File { path: String, reason: String },
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    Gate(#[from] gates::GateError),
    #[error("{0}")]
    Invalid(String),
}

fn invalid(message: impl Into<String>) -> ConfigError {
    ConfigError::Invalid(message.into())
}

impl ConfigError {
    /// The process's exit status, as etcd's.
    pub fn exit_code(&self) -> u8 {
        match self {
            ConfigError::Usage(_) => 2,
            ConfigError::Shadowed(_)
            | ConfigError::TwoVariables(..)
            | ConfigError::Variable { .. }
            | ConfigError::File { .. }
            | ConfigError::Url(_)
            | ConfigError::Gate(_)
            | ConfigError::Invalid(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests;
