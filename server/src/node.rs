//! This member: proposes writes, orders reads, and knows who it is.

mod around;
mod compactor;
pub(crate) mod corruption;
mod defragment;
mod expiry;
mod first_election;
pub(crate) mod hash;
mod leader_call;
mod lease;
mod notices;
mod promote;
mod propose;
mod publish;
mod raft_error;
mod read;
mod reconfigure;
mod request_id;
mod timeouts;
mod tokens;
mod transfer;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use keyport_api::etcdserverpb::ResponseHeader;
use keyport_raft::peers::Peers;
use keyport_raft::{RaftHandle, Status};
use keyport_storage::mvcc::Store;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::apply::Quota;
use crate::apply::waiters::Waiters;
use crate::asking::PeerClient;
pub(crate) use crate::asking::standing::Standing;
use crate::config::{AutoDefragConfig, RatesConfig};
use crate::metrics::Metrics;
use crate::state::State;
use crate::state::ending::Ending;
pub(crate) use around::Looked;
pub(crate) use defragment::{DefragmentError, TurnQuestion};
use defragment::{Load, Turn};
pub(crate) use request_id::RequestIds;

/// Who this member is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) cluster_id: u64,
    pub(crate) member_id: u64,
    pub(crate) name: String,
    pub(crate) client_urls: Vec<String>,
}

/// What requests are held to.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Encoded size of a proposal, in bytes.
    pub(crate) request_bytes: usize,
    /// Operations in one branch of a transaction.
    pub(crate) txn_ops: usize,
    /// What hashing a password costs, in powers of two.
    pub(crate) bcrypt_cost: u32,
    /// How long a proposal or a linearizable read may take.
    pub(crate) request_timeout: Duration,
    /// Seconds; leases that are asked for with less get this, so that they outlive an election.
    pub(crate) min_lease_ttl: i64,
    /// Whether renewals may run ahead of what is committed and not yet applied.
    pub(crate) fast_lease_keep_alive: bool,
    /// How often a watcher that asked for it is told its progress.
    pub(crate) progress_interval: Duration,
    /// What is worth a warning, of a read without the log.
    pub(crate) slow_read: Duration,
    /// Bytes; none when disabled.
    pub(crate) quota_bytes: Option<u64>,
    /// How long the leader may be silent.
    pub(crate) election_timeout: Duration,
    /// Whether membership changes that would lose the quorum are refused.
    pub(crate) strict_reconfig_check: bool,
    pub(crate) max_learners: usize,
    /// How often users may ask, and how often may be asked for keys.
    pub(crate) rates: RatesConfig,
    /// When this member is due to be defragmented by itself, if ever.
    pub(crate) auto_defrag: Option<AutoDefragConfig>,
}

/// The ways to other members.
#[derive(Debug)]
pub(crate) struct Others {
    /// Of Raft.
    pub(crate) peers: Peers,
    /// For questions.
    pub(crate) client: PeerClient,
}

/// The node. Cheap to clone; lives until the last face is gone.
#[derive(Clone, Debug)]
pub(crate) struct Node(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identity: Identity,
    limits: Limits,
    state: Arc<State>,
    raft: RaftHandle,
    peers: Peers,
    waiters: Arc<Waiters>,
    ids: RequestIds,
    quota: Quota,
    peer_client: PeerClient,
    forwards: Semaphore,
    /// Held from where checkpoints of leases are decided on, or cleared, to where that is offered to Raft.
    checkpoints: Mutex<()>,
    /// Held while the cluster's version is decided on: at the start two may think of it at once.
    versions: tokio::sync::Mutex<()>,
    metrics: Arc<Metrics>,
    stopping: Ending,
    /// Whether this member is being defragmented, and who may have that begin.
    turn: Turn,
    load: Load,
}

impl Node {
    pub(crate) fn new(
        identity: Identity,
        limits: Limits,
        state: Arc<State>,
        raft: RaftHandle,
        others: Others,
        waiters: Arc<Waiters>,
        metrics: Arc<Metrics>,
    ) -> Node {
        let ids = RequestIds::new(identity.member_id, std::time::SystemTime::now());
        let quota = Quota::new(&state, limits.quota_bytes);
        let Others { peers, client } = others;
        let peer_client = client.of_cluster(identity.cluster_id);
        let forwards = Semaphore::new(crate::asking::client::IDLE_CONNECTIONS);
        let stopping = Ending::default();
        Node(Arc::new(Inner {
            identity,
            limits,
            state,
            raft,
            peers,
            waiters,
            ids,
            quota,
            peer_client,
            forwards,
            checkpoints: Mutex::default(),
            versions: tokio::sync::Mutex::default(),
            metrics,
            stopping,
            turn: Turn::default(),
            load: Load::default(),
        }))
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn state(&self) -> &State {
        &self.0.state
    }

    /// For those who outlive a borrow.
    pub(crate) fn shared_state(&self) -> Arc<State> {
        Arc::clone(&self.0.state)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.state.store
    }

    pub(crate) fn raft(&self) -> &RaftHandle {
        &self.0.raft
    }

    /// Raft's links to the other members.
    pub(crate) fn peers(&self) -> &Peers {
        &self.0.peers
    }

    /// For calls to other members.
    pub(crate) fn peer_client(&self) -> &PeerClient {
        &self.0.peer_client
    }

    /// Lease calls handed on to the leader at once: no more than there are connections to keep for them.
    pub(crate) fn forwards(&self) -> &Semaphore {
        &self.0.forwards
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Raised when this member begins to stop: streams end then, and connections with them.
    pub(crate) fn stopping(&self) -> &Ending {
        &self.0.stopping
    }

    /// Proposals that wait for their outcome.
    pub(crate) fn pending_proposals(&self) -> usize {
        self.0.waiters.len()
    }

    pub(crate) fn next_lease_id(&self) -> i64 {
        self.0.ids.next_lease()
    }

    /// A response header at `revision`.
    pub(crate) fn header(&self, revision: i64) -> ResponseHeader {
        ResponseHeader {
            cluster_id: self.0.identity.cluster_id,
            member_id: self.0.identity.member_id,
            revision,
            raft_term: self.0.state.applied.term(),
        }
    }

    /// A response header at the store's current revision.
    pub(crate) fn current_header(&self) -> ResponseHeader {
        self.header(self.store().revision())
    }

    /// Raft's status, and the index of the last applied entry, which is not beyond what that calls committed.
    pub(crate) fn raft_status(&self) -> (Status, u64) {
        let applied = self.state().applied.index();
        (self.raft().status(), applied)
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.0.raft.is_leader()
    }

    /// The term in which this member leads, as far as it knows: what it decides on as the leader holds for that term, see
    /// [`Node::propose_in_term`].
    pub(crate) fn office(&self) -> Option<u64> {
        let leader = self.0.state.leadership.leader();
        leader.is_local.then_some(leader.term)
    }
}
