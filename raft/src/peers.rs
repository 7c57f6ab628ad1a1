//! The way to and from the other members: streams of Raft messages, and snapshots.
//!
//! Each member dials every other one and sends on that connection only; the acceptor reads, and answers pings. A stream
//! starts as an HTTP/1.1 upgrade on the peer URL ([`STREAM_PATH`]), where cluster, member and version are checked in
//! etcd's headers: another cluster, member or version gets 412, a removed member 410. Then frames follow, each with its
//! length and checksum (`frame`). A frame that does not check ends the stream.
//!
//! [`Peers::send`] runs on the node's thread. It encodes into the link's buffer and writes at once what the socket takes; only
//! what does not fit waits for the link's task (`link`, `session`). What waits is bounded; beyond, and while there is no
//! connection, messages are lost, which Raft is told once. Nothing is resent here: Raft does that.
//!
//! A `MsgSnap` does not travel on a stream: it starts a transfer of the state itself (`snapshot`).

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use keyport_api::raftpb::{Message, MessageType};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{SetOnce, watch};
use tokio_util::sync::CancellationToken;

use crate::handle::RaftHandle;
use crate::inbox::{Inbox, Input};
use crate::transport::Transport;

mod accept;
#[cfg(any(test, feature = "sim"))]
pub mod any_bytes;
mod connection;
mod dial;
mod frame;
mod handshake;
mod link;
mod observer;
mod outbox;
mod session;
mod snapshot;
mod split;

use handshake::{Caller, Refusal};
use link::Link;
use split::{is_plain, split_proposals};

pub use dial::{Dial, DialError, Dialling, PeerStream};
pub use frame::MAX_CHUNK;
pub use handshake::{MEMBER as MEMBER_HEADER, PROTOCOL as STREAM_PROTOCOL};
pub use observer::{NoPeerObserver, PeerObserver};
pub use snapshot::{SnapshotRead, SnapshotStore, SnapshotWrite};

/// Path of the streams on a peer URL (GET, upgraded).
pub const STREAM_PATH: &str = "/raft/stream";
/// Path of the snapshots on a peer URL (POST).
pub const SNAPSHOT_PATH: &str = "/raft/snapshot";

/// Who this member says it is.
#[derive(Debug, Clone)]
pub struct LocalMember {
    /// The cluster's id; a peer with another one is refused.
    pub cluster_id: u64,
    /// This member's id.
    pub member_id: u64,
    /// Where the others reach this member, until [`Peers::add`] or [`Peers::set`] says otherwise.
    pub peer_urls: Vec<String>,
    /// Version of this server.
    pub version: &'static str,
    /// Oldest version that this server works with.
    pub min_version: &'static str,
}

/// Bounds and times; the defaults are right but for [`PeerOptions::max_entry_bytes`].
#[derive(Debug, Clone)]
pub struct PeerOptions {
    /// Largest entry that a member may propose, in bytes.
    pub max_entry_bytes: usize,
    /// Bytes of entries that may wait for one peer; a single message may be larger.
    pub max_pending_bytes: usize,
    /// A connection that takes longer is given up, and a stream that is not there by then.
    pub connect_timeout: Duration,
    /// A stream on which nothing is heard for so long is ended, by either side.
    pub read_timeout: Duration,
    /// A stream that takes nothing of what waits for so long is ended.
    pub write_timeout: Duration,
    /// Time between two pings on an outgoing stream.
    pub ping_interval: Duration,
    /// Wait before a peer is dialled again; doubles with every failure. Long enough for a process that is ending to close
    /// all its sockets.
    pub min_backoff: Duration,
    /// Where the doubling ends.
    pub max_backoff: Duration,
    /// A snapshot that does not move for so long, or next to nothing, is given up.
    pub snapshot_idle_timeout: Duration,
    /// Wait before Raft may try again to send a snapshot that failed.
    pub snapshot_retry: Duration,
}

impl Default for PeerOptions {
    fn default() -> PeerOptions {
        PeerOptions {
            max_entry_bytes: 2 << 20,
            max_pending_bytes: 16 << 20,
            connect_timeout: Duration::from_secs(2),
            read_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(1),
            min_backoff: Duration::from_millis(10),
            max_backoff: Duration::from_secs(1),
            snapshot_idle_timeout: Duration::from_secs(30),
            snapshot_retry: Duration::from_secs(1),
        }
    }
}

/// All peers of a member. Clones share everything.
#[derive(Clone)]
pub struct Peers(Arc<Shared>);

struct Shared {
    local: LocalMember,
    runtime: tokio::runtime::Handle,
    dial: Arc<dyn Dial>,
    snapshots: Arc<dyn SnapshotStore>,
    observer: Arc<dyn PeerObserver>,
    options: PeerOptions,
    /// The node's queue. Not its handle: that would keep the node, which keeps this, alive.
    inbox: SetOnce<Arc<Inbox>>,
    members: RwLock<Members>,
    incoming: accept::Incoming,
    reception: snapshot::Reception,
    /// Peers that a snapshot is on its way to.
    transfers: Mutex<HashSet<u64>>,
    /// Parent of every task.
    cancel: CancellationToken,
    /// Peers that said that this member was removed.
    removed_by: watch::Sender<HashSet<u64>>,
}

#[derive(Debug, Default)]
struct Members {
    /// Where the cluster says that this member is, once it has said so.
    own_urls: Option<Vec<String>>,
    links: HashMap<u64, Arc<Link>>,
    removed: HashSet<u64>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("local", &self.0.local).field("members", &self.0.members).finish_non_exhaustive()
    }
}

impl Peers {
    /// Nothing is dialled before [`Peers::add`] or [`Peers::set`] names somebody. Tasks run on `runtime`.
    pub fn new(
        local: LocalMember,
        runtime: tokio::runtime::Handle,
        dial: Arc<dyn Dial>,
        snapshots: Arc<dyn SnapshotStore>,
        observer: Arc<dyn PeerObserver>,
        options: PeerOptions,
    ) -> Peers {
        Peers(Arc::new(Shared {
            local,
            runtime,
            dial,
            snapshots,
            observer,
            options,
            inbox: SetOnce::new(),
            members: RwLock::default(),
            incoming: accept::Incoming::default(),
            reception: snapshot::Reception::default(),
            transfers: Mutex::default(),
            cancel: CancellationToken::new(),
            removed_by: watch::Sender::default(),
        }))
    }

    /// The node runs: what arrives is handed to it. Before, streams and snapshots are refused with 503. Called once.
    pub fn connect(&self, raft: &RaftHandle) {
        // A second node would not be this member's.
        let _ = self.0.inbox.set(raft.inbox());
    }

    /// Makes a peer known, or replaces its URLs; this member's own are what it tells others from now on. Removed ones are
    /// ignored.
    pub fn add(&self, id: u64, urls: Vec<String>) {
        self.0.add(&mut self.0.members.write(), id, urls, false);
    }

    /// Removes a peer for good: its streams are closed, and it is told so (410) when it comes back.
    pub fn remove(&self, id: u64) {
        let mut members = self.0.members.write();
        members.removed.insert(id);
        self.0.forget(&mut members, id);
    }

    /// Replaces all peers, after a start or an installed snapshot. `removed` is added to what was removed before.
    pub fn set(&self, members: Vec<(u64, Vec<String>)>, removed: Vec<u64>) {
        let mut known = self.0.members.write();
        known.removed.extend(removed);
        let wanted: HashSet<u64> = members.iter().map(|(id, _)| *id).collect();
        let gone: Vec<u64> =
            known.links.keys().copied().filter(|id| !wanted.contains(id) || known.removed.contains(id)).collect();
        for id in gone {
            self.0.forget(&mut known, id);
        }
        for (id, urls) in members {
            self.0.add(&mut known, id, urls, false);
        }
    }

    /// URLs of a peer.
    pub fn urls(&self, id: u64) -> Option<Vec<String>> {
        self.0.link(id).map(|link| link.urls())
    }

    /// Since when the outgoing stream to a peer is up without a break.
    pub fn active_since(&self, id: u64) -> Option<Instant> {
        self.0.link(id)?.active_since()
    }

    /// Ends all streams and transfers, and refuses new ones.
    pub fn stop(&self) {
        self.0.cancel.cancel();
        self.0.members.write().links.clear();
    }

    /// Answers a request for [`STREAM_PATH`]; must be served over HTTP/1.1 with upgrades enabled.
    pub fn accept_stream<B>(&self, request: http::Request<B>) -> http::Response<Full<Bytes>> {
        self.0.accept_stream(request).unwrap_or_else(|refusal| refusal.response(&self.0.local))
    }

    /// Whether a request is introduced as one of a member of this cluster, to this one.
    pub fn is_member(&self, headers: &http::HeaderMap) -> bool {
        handshake::judge(headers, &self.0.local).is_ok_and(|caller| self.0.link(caller.id).is_some())
    }

    /// Answers a request for [`SNAPSHOT_PATH`] when the snapshot is durable and handed to Raft.
    pub async fn accept_snapshot<B>(&self, request: http::Request<B>) -> http::Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display + Send,
    {
        self.0.accept_snapshot(request).await.unwrap_or_else(|refusal| refusal.response(&self.0.local))
    }

    /// Done when a peer whose word `counts` says that this member was removed from the cluster.
    pub fn removed(
        &self,
        counts: impl Fn(u64) -> bool + Send + Sync + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let mut removed_by = self.0.removed_by.subscribe();
        async move {
            // The transport is gone, and with it whoever could say so.
            if removed_by.wait_for(|peers| peers.iter().any(|peer| counts(*peer))).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Transport for Peers {
    fn send(&self, mut messages: Vec<Message>) {
        // Stable: what goes to one peer stays in order.
        messages.sort_by_key(Message::to);
        for messages in messages.chunk_by(|a, b| a.to() == b.to()) {
            self.0.send_to(messages);
        }
    }

    fn reaches(&self, peer: u64) -> bool {
        self.active_since(peer).is_some()
    }
}

impl Shared {
    fn is_ready(&self) -> bool {
        self.inbox.initialized() && !self.cancel.is_cancelled()
    }

    fn is_removed(&self, id: u64) -> bool {
        self.members.read().removed.contains(&id)
    }

    /// Who this member is now.
    fn local_now(&self) -> LocalMember {
        let own_urls = self.members.read().own_urls.clone();
        let peer_urls = own_urls.unwrap_or_else(|| self.local.peer_urls.clone());
        LocalMember { peer_urls, ..self.local.clone() }
    }

    fn link(&self, id: u64) -> Option<Arc<Link>> {
        self.members.read().links.get(&id).map(Arc::clone)
    }

    /// Whether the cluster has named that peer as a member, as far as this one knows.
    fn is_named_member(&self, id: u64) -> bool {
        self.link(id).is_some_and(|link| !link.provisional.load(Ordering::Acquire))
    }

    fn add(self: &Arc<Self>, members: &mut Members, id: u64, urls: Vec<String>, provisional: bool) {
        if members.removed.contains(&id) || self.cancel.is_cancelled() {
            return;
        }
        if id == self.local.member_id {
            members.own_urls = Some(urls);
            return;
        }
        if let Some(link) = members.links.get(&id) {
            link.set_urls(urls);
            return;
        }
        let link = Arc::new(Link::new(id, urls, provisional, self.cancel.child_token(), &self.options));
        members.links.insert(id, Arc::clone(&link));
        self.observer.known(id, true);
        self.runtime.spawn(session::run(Arc::clone(self), link));
    }

    fn forget(&self, members: &mut Members, id: u64) {
        self.incoming.close(id);
        if let Some(link) = members.links.remove(&id) {
            link.cancel.cancel();
            self.observer.known(id, false);
        }
    }

    /// A caller that may come in. One that is not known yet is answered at the URLs that it names.
    fn welcome(self: &Arc<Self>, caller: Caller) -> Result<(), Refusal> {
        let mut members = self.members.write();
        if let Some(link) = members.links.get(&caller.id) {
            // It is there now: no need to wait.
            if link.active_since().is_none() {
                link.redial.notify_one();
            }
            return Ok(());
        }
        let urls: Vec<String> = caller.urls.into_iter().filter(|url| self.dial.check(url).is_ok()).collect();
        if urls.is_empty() {
            return Err(Refusal::Unknown);
        }
        let unknown = members.links.values().filter(|link| link.provisional.load(Ordering::Acquire)).count();
        if unknown >= accept::MAX_UNKNOWN {
            return Err(Refusal::TooManyUnknown);
        }
        self.add(&mut members, caller.id, urls, true);
        Ok(())
    }

    /// An incoming stream has ended; whoever is known by nothing else is known no more.
    fn forget_provisional(&self, id: u64) {
        let mut members = self.members.write();
        if members.links.get(&id).is_some_and(|link| link.provisional.load(Ordering::Acquire)) {
            self.forget(&mut members, id);
        }
    }

    /// A peer answered that this member was removed.
    fn learn_removed(&self, from: u64) {
        if self.removed_by.send_if_modified(|peers| peers.insert(from)) {
            tracing::info!(
                peer = %format_args!("{from:x}"),
                "a peer says that this member was removed from the cluster"
            );
        }
    }

    /// Messages to one peer, on the node's thread.
    fn send_to(self: &Arc<Self>, messages: &[Message]) {
        let Some(to) = messages.first().map(Message::to) else { return };
        let link = self.link(to);
        // Rare, so that what surrounds it may be cut in pieces.
        for part in messages.chunk_by(|a, b| is_plain(a) && is_plain(b)) {
            match part {
                [message] if message.r#type() == MessageType::MsgSnap => {
                    self.send_snapshot(link.clone(), message.clone());
                }
                [message] if !is_plain(message) => {
                    let parts = split_proposals(message);
                    self.send_plain(to, link.as_deref(), &parts);
                }
                plain => self.send_plain(to, link.as_deref(), plain),
            }
        }
    }

    fn send_plain(&self, to: u64, link: Option<&Link>, messages: &[Message]) {
        let Some(link) = link else {
            self.observer.send_failed(to, messages.len() as u64);
            return;
        };
        let sent = link.send(messages);
        self.sent(to, sent.bytes);
        if sent.dropped > 0 {
            self.observer.send_failed(to, sent.dropped);
        }
        if sent.report {
            self.report_unreachable(to);
        }
    }

    fn sent(&self, to: u64, bytes: usize) {
        if bytes > 0 {
            self.observer.sent(to, bytes as u64);
        }
    }

    fn report_unreachable(&self, id: u64) {
        if let Some(inbox) = self.inbox.get() {
            // A lost report only delays the leader's next probe.
            let _ = inbox.offer(Input::ReportUnreachable(id));
        }
    }

    fn report_down(&self, id: u64) {
        tracing::info!(peer = %format_args!("{id:x}"), "the peer's process does not run");
        if let Some(inbox) = self.inbox.get() {
            // Lost, the election timeout is waited for.
            let _ = inbox.offer(Input::ReportDown(id));
        }
    }

    /// Must not be lost: until then Raft sends nothing else to that peer.
    async fn report_snapshot(&self, to: u64, delivered: bool) {
        tokio::select! {
            () = self.cancel.cancelled() => {}
            inbox = self.inbox.wait() => {
                // A node that has ended does not need it.
                let _ = inbox.force(Input::ReportSnapshot { to, delivered });
            }
        }
    }

    /// Hands messages to Raft. What its queue does not take is lost, as on a bad network.
    fn step(&self, from: u64, messages: Vec<Message>) {
        let Some(inbox) = self.inbox.get() else { return };
        let lost = inbox.offer_messages(messages);
        if lost > 0 {
            self.observer.receive_failed(from, lost);
        }
    }

    /// Hands a snapshot's message to Raft, even if the queue is full: the image behind it is already there.
    fn step_snapshot(&self, message: Message) -> io::Result<()> {
        let inbox = self.inbox.get().ok_or(io::ErrorKind::NotConnected)?;
        inbox.force(Input::Message(Box::new(message))).map_err(io::Error::other)
    }
}
