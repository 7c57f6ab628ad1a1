//! The way to and from the other members: streams of Raft messages, and snapshots.
//!
//! Each member dials every other one and sends on that connection only; the acceptor reads, and answers pings. A stream
//! starts as an HTTP/1.1 upgrade on the peer URL, where cluster, member and version are checked.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use keyport_api::raftpb::Message;

use crate::handle::RaftHandle;
use crate::transport::Transport;

mod observer;
mod snapshot;

pub use observer::{NoPeerObserver, PeerObserver};
pub use snapshot::{MAX_CHUNK, SnapshotRead, SnapshotStore, SnapshotWrite};

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
    /// Where the others reach this member.
    pub peer_urls: Vec<String>,
    /// Version of this server.
    pub version: &'static str,
    /// Oldest version that this server works with.
    pub min_version: &'static str,
}

/// Bounds and times; the default is right but for [`PeerOptions::max_entry_bytes`].
#[derive(Debug, Clone)]
pub struct PeerOptions {
    /// Largest entry that a member may propose, in bytes.
    pub max_entry_bytes: usize,
}

impl Default for PeerOptions {
    fn default() -> PeerOptions {
        PeerOptions { max_entry_bytes: 2 << 20 }
    }
}

/// All peers of a member. Clones share everything.
#[derive(Clone)]
pub struct Peers(Arc<Shared>);

struct Shared {
    local: LocalMember,
    runtime: tokio::runtime::Handle,
    snapshots: Arc<dyn SnapshotStore>,
    observer: Arc<dyn PeerObserver>,
    options: PeerOptions,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("local", &self.0.local).finish_non_exhaustive()
    }
}

impl Peers {
    /// Nothing is dialled before [`Peers::add`] or [`Peers::set`] names somebody. Tasks run on `runtime`.
    pub fn new(
        local: LocalMember,
        runtime: tokio::runtime::Handle,
        snapshots: Arc<dyn SnapshotStore>,
        observer: Arc<dyn PeerObserver>,
        options: PeerOptions,
    ) -> Peers {
        Peers(Arc::new(Shared { local, runtime, snapshots, observer, options }))
    }

    /// The node runs: what arrives is handed to it. Before, streams and snapshots are refused with 503.
    pub fn connect(&self, raft: &RaftHandle) {
        let _ = raft;
    }

    /// Makes a peer known, or replaces its URLs. This member's own id is ignored.
    pub fn add(&self, id: u64, urls: Vec<String>) {
        let _ = (id, urls);
    }

    /// Removes a peer for good: its streams are closed, and it is told so (410) when it comes back.
    pub fn remove(&self, id: u64) {
        let _ = id;
    }

    /// Replaces all peers, after a start or an installed snapshot. `removed` is added to what was removed before.
    pub fn set(&self, members: Vec<(u64, Vec<String>)>, removed: Vec<u64>) {
        let _ = (members, removed);
    }

    /// URLs of a peer.
    pub fn urls(&self, id: u64) -> Option<Vec<String>> {
        let _ = id;
        None
    }

    /// Since when the outgoing stream to a peer is up without a break.
    pub fn active_since(&self, id: u64) -> Option<Instant> {
        let _ = id;
        None
    }

    /// Ends all streams and transfers, and refuses new ones.
    pub fn stop(&self) {}

    /// Answers a request for [`STREAM_PATH`]; must be served with upgrades enabled.
    pub fn accept_stream<B>(&self, request: http::Request<B>) -> http::Response<Full<Bytes>> {
        let _ = (request, &self.0.runtime, &self.0.observer, &self.0.options);
        refuse(http::StatusCode::SERVICE_UNAVAILABLE)
    }

    /// Answers a request for [`SNAPSHOT_PATH`] when the snapshot is durable and handed to Raft.
    pub fn accept_snapshot<B>(
        &self,
        request: http::Request<B>,
    ) -> impl Future<Output = http::Response<Full<Bytes>>> + Send
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display + Send,
    {
        let _ = &self.0.snapshots;
        async move {
            drop(request);
            refuse(http::StatusCode::SERVICE_UNAVAILABLE)
        }
    }

    /// Done when a peer says that this member was removed from the cluster.
    pub fn removed(&self) -> impl Future<Output = ()> + Send + 'static {
        std::future::pending()
    }
}

impl Transport for Peers {
    fn send(&self, messages: Vec<Message>) {
        drop(messages);
    }
}

fn refuse(status: http::StatusCode) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::default());
    *response.status_mut() = status;
    response
}
