//! Members with a listener each, on one runtime.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use keyport_raft::peers::{PeerObserver, SNAPSHOT_PATH, STREAM_PATH};
use keyport_raft::wal::{FsDisk, Metadata, Wal, WalOptions};
use keyport_raft::{
    Config, InitialMember, LocalMember, NoObserver, Parts, PeerOptions, Peers, RaftHandle, create_log, start,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

use crate::machine::State;
use crate::plain::plain;

pub(crate) const CLUSTER: u64 = 0xc1;

/// Far above what anything here takes, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something, but not for ever.
pub(crate) async fn within<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    let Ok(done) = tokio::time::timeout(PATIENCE, awaited).await else { panic!("waited in vain: {what}") };
    done
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    within(what, async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Counts what metrics would.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) send_failed: AtomicU64,
    pub(crate) receive_failed: AtomicU64,
    pub(crate) disconnected: AtomicU64,
    pub(crate) round_trips: AtomicU64,
    pub(crate) snapshots_sent: AtomicU64,
    pub(crate) snapshots_not_sent: AtomicU64,
    pub(crate) snapshots_received: AtomicU64,
    pub(crate) snapshots_not_received: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::SeqCst);
}

impl PeerObserver for Counts {
    fn disconnected(&self, _: u64) {
        add(&self.disconnected, 1);
    }
    fn sent(&self, _: u64, bytes: u64) {
        add(&self.sent, bytes);
    }
    fn received(&self, _: u64, bytes: u64) {
        add(&self.received, bytes);
    }
    fn send_failed(&self, _: u64, messages: u64) {
        add(&self.send_failed, messages);
    }
    fn receive_failed(&self, _: u64, messages: u64) {
        add(&self.receive_failed, messages);
    }
    fn round_trip(&self, _: u64, _: Duration) {
        add(&self.round_trips, 1);
    }
    fn snapshot_send_ended(&self, _: u64, _: Duration, delivered: bool) {
        add(if delivered { &self.snapshots_sent } else { &self.snapshots_not_sent }, 1);
    }
    fn snapshot_receive_ended(&self, _: u64, _: Duration, complete: bool) {
        add(if complete { &self.snapshots_received } else { &self.snapshots_not_received }, 1);
    }
}

/// A listener that serves one member's peers until it is dropped; every connection ends with it.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Listener {
    pub(crate) fn serve(listener: TcpListener, peers: Peers) -> Listener {
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let peers = peers.clone();
                let service = service_fn(move |request| answer(peers.clone(), request));
                let connection = hyper::server::conn::http1::Builder::new();
                connections.spawn(connection.serve_connection(TokioIo::new(stream), service).with_upgrades());
            }
        });
        Listener { address, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it and waits until its port is free.
    pub(crate) async fn close(mut self) {
        self.task.abort();
        let _ = within("the listener ends", &mut self.task).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(peers: Peers, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    Ok(match request.uri().path() {
        STREAM_PATH => peers.accept_stream(request),
        SNAPSHOT_PATH => peers.accept_snapshot(request).await,
        _ => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    })
}

pub(crate) fn local(id: u64, urls: Vec<String>) -> LocalMember {
    LocalMember { cluster_id: CLUSTER, member_id: id, peer_urls: urls, version: "3.7.1", min_version: "3.0.0" }
}

/// Quick to notice and quick to try again.
pub(crate) fn options() -> PeerOptions {
    PeerOptions {
        ping_interval: Duration::from_millis(50),
        min_backoff: Duration::from_millis(5),
        max_backoff: Duration::from_millis(50),
        snapshot_retry: Duration::from_millis(10),
        ..PeerOptions::default()
    }
}

/// What a member is started with.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) options: PeerOptions,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { config: Config::new(1), options: options() }
    }
}

/// A running member.
pub(crate) struct Member {
    pub(crate) id: u64,
    pub(crate) peers: Peers,
    pub(crate) raft: RaftHandle,
    pub(crate) state: State,
    pub(crate) counts: Arc<Counts>,
    pub(crate) listener: Option<Listener>,
    dir: TempDir,
    settings: Settings,
}

impl Member {
    /// With the log of a cluster of these members; without any, one that joins.
    pub(crate) fn start(id: u64, listener: TcpListener, members: &[u64], settings: &Settings) -> Member {
        let dir = tempfile::tempdir().unwrap();
        let initial = members.iter().map(|id| InitialMember { id: *id, context: Bytes::from_static(b"{}") });
        let disk = Arc::new(FsDisk::open(dir.path()).unwrap());
        let metadata = Metadata { node_id: id, cluster_id: CLUSTER };
        let log = create_log(disk, wal_options(), metadata, initial.collect()).unwrap();
        Member::run(id, listener, dir, log, settings)
    }

    fn run(
        id: u64,
        listener: TcpListener,
        dir: TempDir,
        (wal, recovered): (Wal, keyport_raft::wal::Recovered),
        settings: &Settings,
    ) -> Member {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, counts) = (State::default(), Arc::new(Counts::default()));
        let local = local(id, vec![url]);
        let observer = Arc::clone(&counts) as Arc<dyn PeerObserver>;
        let peers =
            Peers::new(local, Handle::current(), plain(), Arc::new(state.clone()), observer, settings.options.clone());
        let parts = Parts {
            config: Config { id, seed: id, tick: Duration::from_millis(20), ..settings.config.clone() },
            wal,
            recovered,
            applied: 0,
            conf_state: None,
            state_machine: state.clone(),
            transport: peers.clone(),
            observer: NoObserver,
        };
        let raft = start(parts).unwrap();
        peers.connect(&raft);
        let listener = Some(Listener::serve(listener, peers.clone()));
        Member { id, peers, raft, state, counts, listener, dir, settings: settings.clone() }
    }

    /// Ends it and everything it runs; its log stays.
    pub(crate) async fn stop(mut self) -> Stopped {
        self.peers.stop();
        let listener = self.listener.take().unwrap();
        let address = listener.address;
        listener.close().await;
        let raft = self.raft.clone();
        within("the node ends", tokio::task::spawn_blocking(move || raft.stop())).await.unwrap();
        Stopped { id: self.id, address, dir: self.dir, settings: self.settings }
    }

    pub(crate) fn data(&self) -> Vec<Bytes> {
        self.state.look(|inner| inner.data.clone())
    }
}

/// A member that was stopped.
pub(crate) struct Stopped {
    pub(crate) id: u64,
    address: SocketAddr,
    dir: TempDir,
    settings: Settings,
}

impl Stopped {
    /// Goes on from its log, at the same address.
    pub(crate) async fn resume(self) -> Member {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let log = Wal::open(Arc::new(FsDisk::open(self.dir.path()).unwrap()), wal_options(), 0).unwrap();
        Member::run(self.id, listener, self.dir, log, &self.settings)
    }
}

fn wal_options() -> WalOptions {
    WalOptions {
        segment_bytes: 1 << 20,
        first_segment_bytes: 64 << 10,
        unsafe_no_fsync: true,
        background: false,
        ..WalOptions::default()
    }
}

/// A whole cluster.
pub(crate) struct Cluster(pub(crate) Vec<Member>);

impl Cluster {
    pub(crate) async fn start(ids: &[u64]) -> Cluster {
        Cluster::start_with(ids, &Settings::default()).await
    }

    pub(crate) async fn start_with(ids: &[u64], settings: &Settings) -> Cluster {
        let cluster = Cluster::unconnected(ids, settings).await;
        cluster.introduce();
        cluster
    }

    /// Nobody knows the others' addresses yet.
    pub(crate) async fn unconnected(ids: &[u64], settings: &Settings) -> Cluster {
        let mut members = Vec::new();
        for id in ids {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            members.push(Member::start(*id, listener, ids, settings));
        }
        Cluster(members)
    }

    /// Tells everybody of everybody.
    pub(crate) fn introduce(&self) {
        self.introduce_with(|_, urls| urls);
    }

    /// With addresses that may lead elsewhere.
    pub(crate) fn introduce_with(&self, change: impl Fn(u64, Vec<String>) -> Vec<String>) {
        let all: Vec<_> = self.0.iter().map(|member| (member.id, change(member.id, urls(member)))).collect();
        // The first one last: who does not know it yet would answer it at the address that it names itself.
        self.0.iter().rev().for_each(|member| member.peers.set(all.clone(), vec![]));
    }

    pub(crate) async fn leader(&self) -> &Member {
        let mut found = 0;
        until("a leader that all agree on", || {
            let leaders: Vec<u64> = self.0.iter().map(|member| member.raft.leader()).collect();
            found = leaders.first().copied().unwrap_or_default();
            found != 0 && leaders.iter().all(|leader| *leader == found)
        })
        .await;
        self.0.iter().find(|member| member.id == found).unwrap()
    }

    pub(crate) async fn agree_on(&self, data: &[Bytes]) {
        until("all have applied the same", || self.0.iter().all(|member| member.data() == data)).await;
    }
}

pub(crate) fn urls(member: &Member) -> Vec<String> {
    member.listener.as_ref().map(Listener::url).into_iter().collect()
}

/// Passes connections on to an address, until it is cut.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    target: SocketAddr,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn new(target: SocketAddr) -> Proxy {
        Proxy::at(([127, 0, 0, 1], 0).into(), target).await
    }

    async fn at(address: SocketAddr, target: SocketAddr) -> Proxy {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let Ok(mut server) = TcpStream::connect(target).await else { return };
                    // Either side may end it.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Proxy { address, target, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends all connections, and listens no more.
    pub(crate) async fn cut(&mut self) {
        self.task.abort();
        let _ = within("the proxy ends", &mut self.task).await;
    }

    pub(crate) async fn mend(&mut self) {
        *self = Proxy::at(self.address, self.target).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
