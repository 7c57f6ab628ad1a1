//! From settings and a data directory to a running node: a first start writes the cluster's first entries, a later
//! one picks up what the directory holds.

mod data_dir;
mod defragment;
mod discovery;
mod error;
mod existing;
mod force_new;
mod identity;
mod observer;
mod plan;
mod restored;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyport_raft::peers::{LocalMember, PeerOptions, Peers};
use keyport_raft::wal::{FsDisk, Metadata, Recovered, Wal, WalError, WalOptions};
use keyport_raft::{Parts, create_log};
use keyport_storage::alarm::Alarms;
use keyport_storage::auth::AuthStore;
use keyport_storage::backend::{self, Applied, Backend, BackendOptions};
use keyport_storage::lease::{Lessor, LessorOptions};
use keyport_storage::mvcc::{Store, StoreOptions};
use keyport_storage::watch::{WatchHub, WatchOptions};
use tokio::sync::mpsc;

use crate::apply::waiters::Waiters;
use crate::apply::{Chain, Notice, Quota, Replica, ReplicaQueue};
use crate::asking::PeerClient;
use crate::auth::identities::Identities;
use crate::auth::tokens::Tokens;
use crate::config::{Config, Gate, IdentityConfig, Url};
use crate::etcd_dir::{Places, take_over};
use crate::membership::Membership;
use crate::memory::{Caches, burst_bytes, total_bytes};
use crate::metrics::{self, Metrics, NetworkMetrics};
use crate::net::dial::PeerDialler;
use crate::node::{Identity, Limits, Node, Others, corruption};
use crate::state::ending::Recurring;
use crate::state::leadership::Leadership;
use crate::state::{AppliedIndex, Snapshots, State, conf_state};
use crate::tls::{Outgoing, Speaks, Tls};
use crate::version;
use data_dir::DataDir;
pub(crate) use error::BootstrapError;
use observer::RaftMetrics;
use plan::Founding;
pub(crate) use restored::Restored;

/// Notices that may wait for the node. A full queue loses nothing that is not said again.
const NOTICES: usize = 64;
/// How often a lease's remaining time goes into the log, where that is switched on.
const LEASE_CHECKPOINTS: Duration = Duration::from_secs(300);

/// A node that has been started, and what it has to say.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) node: Node,
    pub(crate) notices: mpsc::Receiver<Notice>,
}

/// Opens or creates everything and starts the threads.
///
/// # Errors
/// When the directory cannot be used as it is; nothing in it was overwritten then.
pub(crate) async fn start(config: &Config, metrics: Arc<Metrics>, tls: &Tls) -> Result<Started, BootstrapError> {
    let known_by = KnownBy {
        tokens: Tokens::open(&config.tokens)?,
        identities: config.identity.as_ref().map(identities).transpose()?.map(Arc::new),
    };
    let (dir, client) = prepare(config, &metrics, tls)?;
    // The log is locked first: it is what a second process must not touch.
    let disk = Arc::new(FsDisk::open(&dir.wal)?);
    let places = Places { database: &dir.database, snapshots: &dir.snapshots, log: disk.as_ref() };
    take_over(&places, backend_options(config, &metrics))?;
    let has_log = Wal::exists(disk.as_ref())?;
    if dir.database.exists() && !has_log {
        return Err(BootstrapError::LogMissing(dir.wal));
    }
    let founding = if has_log { None } else { Some(found(config, &client).await?) };
    let Opened { backend, mut wal, mut recovered } = open(config, &metrics, &dir, disk, founding.as_ref())?;
    report(&recovered, &dir.wal);
    if let Some(threshold) = config.bootstrap_defrag_threshold_bytes {
        defragment::if_worthwhile(&backend, threshold, &metrics)?;
    }
    clean_snapshots(config, &dir, &backend)?;

    let state = Arc::new(open_state(config, known_by, Arc::clone(&backend), Arc::clone(&metrics))?);
    let metadata = recovered.metadata;
    let options = backend_options(config, &metrics);
    let snapshots = Snapshots::new(Arc::clone(&backend), dir.snapshots.clone(), options, Arc::clone(&metrics));
    let peers = peers(config, &metadata, snapshots, &metrics, tls);
    if has_log {
        resume(config, &mut wal, &mut recovered, &backend, &state, &client).await?;
    }
    let known = founding.map_or_else(|| state.membership.list(), |founding| founding.members);
    let known = known.into_iter().map(|member| (member.id, member.peer_urls));
    peers.set(known.collect(), state.membership.removed_ids());
    let waiters = Arc::new(Waiters::default());
    let (notices, received) = mpsc::channel(NOTICES);
    let replica = Replica {
        chain: Chain::new(&state, Quota::new(&state, config.quota_backend_bytes)),
        state: Arc::clone(&state),
        waiters: Arc::clone(&waiters),
        metrics: Arc::clone(&metrics),
        notices,
        peers: peers.clone(),
        snapshots: dir.snapshots,
        slow: config.warning_apply_duration,
        failure: OnceLock::new(),
    };
    let parts = Parts {
        config: raft_config(config, metadata.node_id),
        wal,
        applied: backend.durable_applied().index,
        recovered,
        conf_state: conf_state::load(&*backend)?,
        state_machine: ReplicaQueue::start(replica).map_err(|error| BootstrapError::Thread("apply", error))?,
        transport: peers.clone(),
        observer: RaftMetrics(Arc::clone(&metrics)),
    };
    let raft = keyport_raft::start(parts)?;
    peers.connect(&raft);
    let others = Others { peers, client };
    let node = Node::new(own_identity(config, metadata), limits(config), state, raft, others, waiters, metrics);
    Ok(Started { node, notices: received })
}

fn clean_snapshots(config: &Config, dir: &DataDir, backend: &Backend) -> Result<(), BootstrapError> {
    dir.snapshots.clean(backend.durable_applied().index, true).map_err(|source| BootstrapError::Io {
        path: config.snap_path(),
        action: "cannot remove snapshots that are not needed any more",
        source,
    })
}

/// A place for the data, and a way to others. Certificates may have to be made in the first for the second.
fn prepare(config: &Config, metrics: &Metrics, tls: &Tls) -> Result<(DataDir, PeerClient), BootstrapError> {
    let dir = DataDir::prepare(config)?;
    tls.open(metrics)?;
    Ok((dir, PeerClient::new(tls.to_peers())))
}

/// The cluster that this member will be of.
async fn found(config: &Config, client: &PeerClient) -> Result<Founding, BootstrapError> {
    identity::found(config, client).await.map_err(|error| error.naming(&config.data_dir))
}

/// Holds what the directory has against the settings, and the data against other members', which a new member has none of.
async fn resume(
    config: &Config,
    wal: &mut Wal,
    recovered: &mut Recovered,
    backend: &Backend,
    state: &State,
    client: &PeerClient,
) -> Result<(), BootstrapError> {
    let Metadata { node_id, cluster_id } = recovered.metadata;
    identity::check_restart(config, recovered.metadata, &state.membership)?;
    if config.cluster.force_new {
        force_new::force_new(config, wal, recovered, backend, &state.membership)?;
    }
    if config.feature_gates.enabled(Gate::InitialCorruptCheck) {
        let client = client.clone().of_cluster(cluster_id);
        corruption::check_before_start(state, &client, node_id, config.request_timeout()).await?;
    }
    Ok(())
}

/// Who this member is.
fn own_identity(config: &Config, metadata: Metadata) -> Identity {
    Identity {
        cluster_id: metadata.cluster_id,
        member_id: metadata.node_id,
        name: config.name.clone(),
        client_urls: config.cluster.advertise_client_urls.iter().map(Url::to_string).collect(),
    }
}

/// The log and the database, in step with each other.
struct Opened {
    backend: Arc<Backend>,
    wal: Wal,
    recovered: Recovered,
}

fn open(
    config: &Config,
    metrics: &Metrics,
    dir: &DataDir,
    disk: Arc<FsDisk>,
    founding: Option<&Founding>,
) -> Result<Opened, BootstrapError> {
    let open_backend = || Backend::open(&dir.database, backend_options(config, metrics));
    if let Some(founding) = founding {
        // First, so that a log without a database, but never the other way round, is what a crash may leave.
        let (wal, recovered) = create_log(disk, wal_options(config), founding.metadata(), founding.initial.clone())?;
        return Ok(Opened { backend: Arc::new(open_backend()?), wal, recovered });
    }
    let mut backend = open_backend()?;
    let opened = match Wal::open(Arc::clone(&disk) as _, wal_options(config), backend.durable_applied().index) {
        // The process ended between Raft's taking a snapshot and its taking the database's place.
        Err(WalError::SnapshotNeeded { index, .. }) if dir.snapshots.path(index).exists() => {
            tracing::info!(index, "completing the installation of a snapshot");
            drop(backend);
            backend::adopt(&dir.snapshots.path(index), &dir.database)?;
            backend = open_backend()?;
            Wal::open(disk, wal_options(config), backend.durable_applied().index)
        }
        opened => opened,
    };
    let (wal, recovered) = opened?;
    check_history(&recovered, backend.durable_applied())?;
    Ok(Opened { backend: Arc::new(backend), wal, recovered })
}

/// A database that was put beside the log of another member, or of another time, would go on from where it is with
/// entries that do not follow on what it has.
fn check_history(recovered: &Recovered, applied: Applied) -> Result<(), BootstrapError> {
    match recovered.term_at(applied.index) {
        Some(term) if term == applied.term => Ok(()),
        in_log => Err(BootstrapError::OtherLog { applied, in_log }),
    }
}

fn peers(config: &Config, own: &Metadata, snapshots: Snapshots, metrics: &Arc<Metrics>, tls: &Tls) -> Peers {
    let local = LocalMember {
        cluster_id: own.cluster_id,
        member_id: own.node_id,
        peer_urls: config.cluster.advertise_peer_urls.iter().map(Url::to_string).collect(),
        version: version::ETCD_SERVER,
        min_version: version::MIN_CLUSTER,
    };
    let options = PeerOptions {
        max_entry_bytes: config.max_request_bytes,
        read_timeout: config.raft_read_timeout,
        write_timeout: config.raft_write_timeout,
        ..PeerOptions::default()
    };
    let runtime = tokio::runtime::Handle::current();
    let observer = NetworkMetrics::new(Arc::clone(metrics), own.node_id);
    Peers::new(
        local,
        runtime,
        Arc::new(PeerDialler(tls.to_peers().clone())),
        Arc::new(snapshots),
        Arc::new(observer),
        options,
    )
}

fn report(recovered: &Recovered, wal: &Path) {
    if let Some(copy) = &recovered.repaired {
        tracing::warn!(wal = %wal.display(), copy = %copy.display(), "cut off the torn end of the write-ahead log");
    }
    tracing::info!(
        cluster_id = format!("{:x}", recovered.metadata.cluster_id),
        local_member_id = format!("{:x}", recovered.metadata.node_id),
        snapshot_index = recovered.snapshot.index,
        entries = recovered.entries.len(),
        commit_index = recovered.hard_state.commit(),
        "opened the write-ahead log"
    );
}

/// By what users are known.
struct KnownBy {
    tokens: Tokens,
    identities: Option<Arc<Identities>>,
}

/// What is wrong with the files is told now; the provider need not be there yet.
fn identities(config: &IdentityConfig) -> Result<Identities, BootstrapError> {
    Outgoing::new((*config.tls).clone(), Speaks::Http1).open()?;
    Ok(Identities::open(config)?)
}

fn open_state(
    config: &Config,
    known_by: KnownBy,
    backend: Arc<Backend>,
    metrics: Arc<Metrics>,
) -> Result<State, BootstrapError> {
    let store = Arc::new(Store::open(Arc::clone(&backend), store_options(config, &metrics))?);
    if let Some(depth) = config.metrics_prefix_depth {
        metrics.count_prefixes(depth).recount(&store)?;
    }
    let lessor = Arc::new(Lessor::new(lessor_options(config), Instant::now()));
    lessor.recover(&backend, &store)?;
    let alarms = Arc::new(Alarms::new());
    alarms.recover(&backend)?;
    let auth = Arc::new(AuthStore::new());
    auth.recover(&backend)?;
    let membership = Membership::load(&backend)?;
    if let Some(found) = membership.newer_version() {
        return Err(BootstrapError::NewerCluster { found });
    }
    let hub = WatchHub::new(Arc::clone(&store) as _, WatchOptions::default())
        .map_err(|error| BootstrapError::Thread("watch-catch-up", error))?;
    let applied = backend.durable_applied();
    let applied = AppliedIndex::new(applied.index, applied.term);
    let leadership = Leadership::new(config.election_timeout);
    let rules_changed = Recurring::default();
    let KnownBy { tokens, identities } = known_by;
    Ok(State {
        backend,
        store,
        lessor,
        alarms,
        auth,
        rules_changed,
        tokens,
        identities,
        hub,
        membership,
        applied,
        leadership,
        metrics,
    })
}

fn caches(config: &Config) -> Caches {
    Caches::within(config.value_cache.of(total_bytes()))
}

fn backend_options(config: &Config, metrics: &Metrics) -> BackendOptions {
    BackendOptions {
        on_commit: Some(metrics::commits(metrics)),
        batch_interval: config.backend_batch_interval,
        batch_limit: config.backend_batch_limit,
        unsafe_no_fsync: config.unsafe_no_fsync,
        cache_bytes: caches(config).file,
        ..BackendOptions::default()
    }
}

fn wal_options(config: &Config) -> WalOptions {
    WalOptions { unsafe_no_fsync: config.unsafe_no_fsync, ..WalOptions::default() }
}

fn store_options(config: &Config, metrics: &Arc<Metrics>) -> StoreOptions {
    StoreOptions {
        compaction_batch_limit: config.compaction_batch_limit,
        compaction_pause: config.compaction_sleep_interval,
        value_bytes: caches(config).values,
        on_compaction: Some(metrics::compactions(metrics)),
    }
}

fn lessor_options(config: &Config) -> LessorOptions {
    LessorOptions {
        checkpoint_interval: config.feature_gates.enabled(Gate::LeaseCheckpoint).then_some(LEASE_CHECKPOINTS),
        expired_retry: config.request_timeout(),
    }
}

fn raft_config(config: &Config, member_id: u64) -> keyport_raft::Config {
    // Unlike every other run of this member, as the clock moves on.
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let boot_id = u64::try_from(since_epoch.as_nanos()).unwrap_or_default();
    keyport_raft::Config {
        boot_id,
        seed: boot_id ^ member_id,
        tick: config.heartbeat_interval,
        election_ticks: config.election_ticks(),
        pre_vote: config.pre_vote,
        snapshot_count: config.snapshot_count,
        snapshot_catchup_entries: config.snapshot_catchup_entries,
        queue_bytes: burst_bytes(),
        ..keyport_raft::Config::new(member_id)
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        request_bytes: config.max_request_bytes,
        txn_ops: config.max_txn_ops,
        bcrypt_cost: config.bcrypt_cost,
        request_timeout: config.request_timeout(),
        min_lease_ttl: config.min_lease_ttl(),
        fast_lease_keep_alive: config.feature_gates.enabled(Gate::FastLeaseKeepAlive),
        progress_interval: config.watch_progress_notify_interval,
        quota_bytes: config.quota_backend_bytes,
        slow_read: config.warning_apply_duration,
        election_timeout: config.election_timeout,
        strict_reconfig_check: config.cluster.strict_reconfig_check,
        max_learners: config.cluster.max_learners,
        rates: config.rates.clone(),
        auto_defrag: config.auto_defrag.clone(),
    }
}
