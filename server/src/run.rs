//! A member's life: opening, serving, closing.

mod attendance;
mod gauges;
mod health;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::task::{JoinError, JoinSet};
use tower::{Layer, Service};

use crate::apply::Ended;
use crate::audit::AuditLog;
use crate::backups::{Schedule, ScheduleError};
use crate::bootstrap::{self, BootstrapError};
use crate::calls::Calls;
use crate::config::{Config, ConsoleMode, Gate, ListenConfig, Url};
use crate::faces::json::GatewayOptions;
use crate::faces::ops;
use crate::faces::routes::Routes;
use crate::http::layers::{GatewayNames, Quota};
use crate::http::{BoxError, Column, RequestBody, Server, Stack, StackOptions, hosts_for_peers};
use crate::memory::{self, MemoryError};
use crate::metrics::{Metrics, keep_history};
use crate::net::{self, BindError, Face, Handed, HandedError, Listener, PeerListener};
use crate::node::Node;
use crate::service_manager::{self, DescriptorsError, Stage};
use crate::tls::Tls;
use crate::traces::{self, Teller, Traces, TracesError};
use crate::{peer_port, provider, version};

/// How long connections may finish what they are answering.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the server ended, other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Descriptors(#[from] DescriptorsError),
    #[error(transparent)]
    Handed(#[from] HandedError),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    #[error("--audit-log: cannot open {}: {source}", path.display())]
    AuditLog { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Traces(#[from] TracesError),
    #[error(transparent)]
    Backups(#[from] ScheduleError),
    #[error("cannot serve connections: {0}")]
    Threads(#[source] io::Error),
    #[error("the log, the database or the state in it has failed")]
    Storage,
    #[error(
        "the data directory {} is not the one that this member had before: its log ends at entry {last}, and the leader knows \
         that it had entry {index}; remove the member from the cluster, remove the directory, and add the member again",
        data_dir.display()
    )]
    LogLost { data_dir: PathBuf, index: u64, last: u64 },
    #[error("a duty of the node has ended: {0}")]
    Duty(#[source] JoinError),
    #[error("cannot wait for signals: {0}")]
    Signals(#[from] std::io::Error),
}

/// What answers clients: every face, behind the whole stack.
pub type Clients = Column<Routes, Calls>;

/// Serves until `shutdown` is done or the node fails.
///
/// # Errors
/// When the member cannot start, or cannot go on.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    run_within(config, shutdown, tower::layer::util::Identity::new()).await
}

/// As [`run`], with a layer around what answers clients. It sees every request first, and every answer last, refusals too; the
/// [`Call`](crate::http::Call) is in the request's extensions, and nobody has asked yet who makes it.
///
/// # Errors
/// As [`run`].
pub async fn run_within<L, B>(config: Config, shutdown: impl Future<Output = ()>, around: L) -> Result<(), RunError>
where
    L: Layer<Clients> + Send + Sync + 'static,
    L::Service: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    begin(&config)?;
    let metrics = Arc::new(Metrics::new(config.metrics_extensive));
    let tls = Tls::new(&config.tls, &metrics);
    // First, so that a taken port is found before anything is written.
    let (listeners, peer_listeners) = listen(&config.listen, &tls)?;
    let backups = config.backups.as_ref().map(Schedule::open).transpose()?;
    let (told, farewell) = who_hears(&config, &metrics)?;
    let server = Server::start(&config.http, &metrics).map_err(RunError::Threads)?;
    metrics.set_feature_gates(&config.feature_gates);
    let mut shutdown = pin!(async {
        shutdown.await;
        service_manager::tell(Stage::Stopping);
    });
    let started = tokio::select! {
        started = bootstrap::start(&config, Arc::clone(&metrics), &tls) => started?,
        // Other founders may have to be waited for.
        () = &mut shutdown => return Ok(()),
    };
    let node = started.node;
    gauges::install(&metrics, &node);
    let mut following = tokio::spawn(node.clone().follow(started.notices));
    let mut duties = duties(&config, &node, backups);
    duties.spawn(keep_history(Arc::clone(&metrics)));
    let for_peers = peer_port::router(node.clone(), hosts_for_peers(&config));
    duties.spawn(peer_port::serve(peer_listeners, for_peers, node.stopping().token().clone()));
    let data_dir = config.data_dir.clone();
    let mut serving = tokio::spawn(serve(server, config, listeners, node.clone(), metrics, around, told));
    let (mut failed, mut served, mut lost) = (None, None, None);
    tokio::select! {
        () = shutdown => node.hand_over_leadership().await,
        // What still waits will not be decided here.
        () = node.removed_from_cluster() => {
            service_manager::tell(Stage::Stopping);
            stop_raft(&node).await;
        }
        ended = &mut following => failed = Some(ended.unwrap_or(Ended::Failed)),
        ended = &mut serving => served = Some(ended),
        error = panicked(&mut duties) => lost = Some(error),
    }
    node.stopping().raise();
    let served = match served {
        Some(served) => served,
        None => serving.await,
    };
    duties.shutdown().await;
    node.peers().stop();
    stop_raft(&node).await;
    let failed = match failed {
        Some(failed) => failed,
        None => following.await.unwrap_or(Ended::Failed),
    };
    farewell.say().await;
    tracing::info!("the server has ended");
    served.map_err(io::Error::from).flatten().map_err(RunError::Threads)?;
    lost.map_or(Ok(()), |error| Err(RunError::Duty(error)))?;
    match failed {
        Ended::LogLost { index, last } => Err(RunError::LogLost { data_dir, index, last }),
        Ended::Failed => Err(RunError::Storage),
        Ended::AsAsked => Ok(()),
    }
}

/// For clients and for peers: what the service manager has opened already, and the others.
fn listen(config: &ListenConfig, tls: &Tls) -> Result<(Vec<Listener>, Vec<PeerListener>), RunError> {
    let descriptors = service_manager::descriptors()?;
    let mut handed = Handed::of(descriptors.into_iter().map(|descriptor| (descriptor.name, descriptor.fd)))?;
    let listeners = (net::bind_clients(config, tls, &mut handed)?, net::bind_peers(config, tls, &mut handed)?);
    handed.are_all_taken()?;
    Ok(listeners)
}

/// Who hears of calls.
struct Told {
    audit: Option<AuditLog>,
    traces: Option<Traces>,
}

/// What they have not been told yet.
struct Farewell {
    audit: Option<AuditLog>,
    teller: Option<Teller>,
}

fn who_hears(config: &Config, metrics: &Metrics) -> Result<(Told, Farewell), RunError> {
    let open = |path: &PathBuf| {
        AuditLog::open(path, metrics.audit_lost.clone())
            .map_err(|source| RunError::AuditLog { path: path.clone(), source })
    };
    let audit = config.audit_log.as_ref().map(open).transpose()?;
    let (traces, teller) = config.traces.as_ref().map(|config| traces::start(config, metrics)).transpose()?.unzip();
    Ok((Told { audit: audit.clone(), traces }, Farewell { audit, teller }))
}

impl Farewell {
    async fn say(self) {
        self.audit.iter().for_each(AuditLog::flush);
        if let Some(teller) = self.teller {
            teller.finish().await;
        }
    }
}

/// What the node does unasked, for as long as it serves.
fn duties(config: &Config, node: &Node, backups: Option<Schedule>) -> JoinSet<()> {
    let mut duties = JoinSet::new();
    duties.spawn(node.clone().expire_leases());
    duties.spawn(node.clone().sweep_tokens());
    duties.spawn(node.clone().watch_versions());
    if let Some(interval) = config.downgrade_check_interval {
        duties.spawn(node.clone().watch_downgrade(interval));
    }
    if config.initial_election_tick_advance {
        duties.spawn(node.clone().hasten_first_election(config.election_ticks()));
    }
    if let Some(mode) = config.auto_compaction {
        duties.spawn(node.clone().compact_automatically(mode));
    }
    if let Some(auto) = &config.auto_defrag {
        duties.spawn(node.clone().watch_load());
        duties.spawn(node.clone().give_turns(auto.interval));
    }
    if let Some(interval) = config.corrupt_check_interval {
        duties.spawn(node.clone().check_corruption(interval));
    }
    if config.feature_gates.enabled(Gate::CompactHashCheck) {
        duties.spawn(node.clone().check_compactions(config.compact_hash_check_interval));
    }
    if let Some(backups) = backups {
        duties.spawn(backups.run(node.clone()));
    }
    if let Some(identities) = &node.state().identities {
        // Who was known by a key that is gone is known no more.
        let rules_changed = node.state().rules_changed.clone();
        let changed = move || rules_changed.happened();
        duties.spawn(provider::keep_fresh(Arc::clone(identities), Arc::clone(&node.state().metrics), changed));
    }
    let leaderless = node.clone();
    duties.spawn(async move { leaderless.state().leadership.end_leaderless_streams().await });
    duties
}

/// Returns once one of the duties panics. One that ends by itself is done.
async fn panicked(duties: &mut JoinSet<()>) -> JoinError {
    while let Some(ended) = duties.join_next().await {
        if let Err(error) = ended {
            return error;
        }
    }
    std::future::pending().await
}

/// Waits for the last write. Everyone who waits for Raft is told that the server stops.
/// Ends the log. What it has handed over is applied then, and in the database's file: whoever still keeps the database open
/// does not live to see it closed.
async fn stop_raft(node: &Node) {
    let node = node.clone();
    let stopped = tokio::task::spawn_blocking(move || {
        node.raft().stop();
        node.state().backend.flush()
    });
    match stopped.await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the database's file is behind the log"),
        Err(error) => tracing::error!(%error, "the Raft thread ended badly"),
    }
}

fn begin(config: &Config) -> Result<(), MemoryError> {
    announce(config);
    memory::keep_if(config.memory_mlock)
}

fn announce(config: &Config) {
    let texts = |urls: &[Url]| urls.iter().map(Url::to_string).collect::<Vec<_>>().join(",");
    tracing::info!(
        etcd_version = version::ETCD_SERVER,
        keyport_version = version::KEYPORT,
        os = std::env::consts::OS,
        arch = std::env::consts::ARCH,
        max_cpu_available = std::thread::available_parallelism().map_or(0, usize::from),
        name = config.name,
        data_dir = %config.data_dir.display(),
        listen_client_urls = texts(&config.listen.client),
        advertise_client_urls = texts(&config.cluster.advertise_client_urls),
        snapshot_count = config.snapshot_count,
        snapshot_catchup_entries = config.snapshot_catchup_entries,
        quota_backend_bytes = config.quota_backend_bytes,
        max_request_bytes = config.max_request_bytes,
        heartbeat_interval = ?config.heartbeat_interval,
        election_timeout = ?config.election_timeout,
        v2_deprecation = "write-only",
        "starting an etcd server"
    );
}

async fn serve<L, B>(
    server: Server,
    config: Config,
    listeners: Vec<Listener>,
    node: Node,
    metrics: Arc<Metrics>,
    around: L,
    told: Told,
) -> io::Result<()>
where
    L: Layer<Clients> + Sync,
    L::Service: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let calls = Calls::new(&node)?;
    let stop = node.stopping().token().clone();
    let state = node.shared_state();
    let (users, ignores_names) = (Arc::clone(&state), config.http.enable_gateway && !config.http.certificate_names);
    let full = Quota::new(move || state.alarms.no_space());
    let gateway_names = GatewayNames::new(move || ignores_names && users.auth.with(|policy| policy.is_enabled()));
    let Told { audit, traces } = told;
    let options = StackOptions { audit, traces, gateway_names, ..StackOptions::of(&config) };
    let stack = Stack::new(options, Arc::clone(&metrics), calls.clone(), full);
    let (for_metrics, for_clients): (Vec<_>, Vec<_>) =
        listeners.into_iter().partition(|listener| listener.face == Face::Metrics);
    // Whoever watches over this member has to hear from it while it waits for the others, too.
    let watched = stack.layer(ops::metrics_router(Arc::new(node.clone()), Arc::clone(&metrics)));
    announce_listeners(&for_metrics, config.console);
    let watching = server.serve(for_metrics, watched, stop.clone(), DRAIN);
    let serving = async {
        // Clients that come early wait in the listeners' queues rather than see half a server.
        tokio::select! {
            () = node.ready() => {}
            () = stop.cancelled() => return Ok(()),
        }
        let offer = ops::Offer { has_profiles: config.enable_pprof, console: config.console };
        let router = ops::router(Arc::new(node.clone()), metrics, offer, calls.clone()).fallback(ops::not_found);
        let gateway = config
            .http
            .enable_gateway
            .then(|| GatewayOptions::new(config.max_request_bytes, config.max_txn_ops, stop.clone()));
        let routes = Routes::new(calls, config.max_receive_bytes(), gateway, router);
        tracing::info!("ready to serve client requests");
        announce_listeners(&for_clients, config.console);
        service_manager::tell(Stage::Ready);
        let watched = service_manager::watched_over(|patience| attendance::of_all(&node, server.loops(), patience));
        let served = server.serve(for_clients, around.layer(stack.layer(routes)), stop.clone(), DRAIN);
        tokio::select! {
            served = served => served,
            never = watched => match never {},
        }
    };
    tokio::try_join!(watching, serving).map(drop)
}

fn announce_listeners(listeners: &[Listener], console: ConsoleMode) {
    for listener in listeners {
        let traffic = match listener.face {
            Face::All => "grpc+http",
            Face::Grpc => "grpc",
            Face::Http => "http",
            Face::Metrics => "metrics",
        };
        let local = listener.local_addr();
        let address = local.map_or_else(|| listener.url.authority(), |a| a.to_string());
        let for_pages = local.filter(|_| matches!(listener.face, Face::All | Face::Http));
        let docs = page_url(&listener.url, for_pages, "docs");
        let console = page_url(&listener.url, for_pages.filter(|_| console != ConsoleMode::Off), "ui/");
        let is_encrypted = listener.url.scheme.is_tls();
        if is_encrypted {
            tracing::info!(traffic, address, docs, console, "serving client traffic securely");
        // Others on this machine are no strangers on the network.
        } else if local.is_none_or(|local| local.ip().is_loopback()) {
            tracing::info!(traffic, address, docs, console, "serving client traffic");
        } else {
            let discouraged = "serving client traffic insecurely; this is strongly discouraged!";
            tracing::info!(traffic, address, docs, console, "{discouraged}");
        }
    }
}

/// What to open in a browser to get to a page of this server.
fn page_url(url: &Url, local: Option<SocketAddr>, page: &str) -> Option<String> {
    let (local, scheme) = (local?, url.scheme.as_str());
    Some(if local.ip().is_unspecified() {
        format!("{scheme}://localhost:{}/{page}", local.port())
    } else {
        format!("{scheme}://{local}/{page}")
    })
}

#[cfg(test)]
mod tests;
