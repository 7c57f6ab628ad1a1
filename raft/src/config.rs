//! What a node is told when it starts. Everything random or time dependent comes in here as a value.

use std::time::Duration;

use crate::plant::Plants;

/// Settings of one Raft member; [`Config::new`] has etcd's defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// Member id; never 0.
    pub id: u64,
    /// Different in every run of this member: part of each ReadIndex context, so that no context ever comes back.
    pub boot_id: u64,
    /// Seed of the randomized election timeouts.
    pub seed: u64,
    /// Length of one tick, which is also the heartbeat interval.
    pub tick: Duration,
    /// Ticks without a leader before an election (the actual wait is drawn from one to two times this).
    pub election_ticks: usize,
    /// Whether a candidate asks first whether it could win.
    pub pre_vote: bool,
    /// Applied entries between two snapshots.
    pub snapshot_count: u64,
    /// Entries kept in memory behind the applied index for followers that are a little behind.
    pub snapshot_catchup_entries: u64,
    /// Bytes of such entries kept while there are other members.
    pub catchup_bytes: usize,
    /// Bytes of such entries kept while this is the only member.
    pub catchup_bytes_alone: usize,
    /// Bound of the queue in front of the node's thread.
    pub queue_len: usize,
    /// Bytes of proposals in that queue; more are refused.
    pub queue_bytes: usize,
    /// Bytes of proposals that may wait for their commit; more are dropped.
    pub max_uncommitted_bytes: u64,
    /// Bytes of committed entries handed to the state machine in one go.
    pub max_apply_bytes: u64,
    /// Bytes of proposals gathered for one write to the log.
    pub max_batch_bytes: usize,
    /// A bug for the simulation to find.
    pub plants: Plants,
}

/// Largest append message sent to a peer, unless a single entry is larger.
pub(crate) const MAX_SIZE_PER_MESSAGE: u64 = 1 << 20;
/// Append messages on their way to one peer before the leader waits for an answer.
pub(crate) const MAX_INFLIGHT_MESSAGES: usize = 512;

impl Config {
    /// The defaults for member `id`.
    pub fn new(id: u64) -> Config {
        Config {
            id,
            boot_id: 0,
            seed: 0,
            tick: Duration::from_millis(100),
            election_ticks: 10,
            pre_vote: true,
            snapshot_count: 10_000,
            snapshot_catchup_entries: 5_000,
            catchup_bytes: 64 << 20,
            catchup_bytes_alone: 8 << 20,
            queue_len: 8_192,
            queue_bytes: 64 << 20,
            max_uncommitted_bytes: 256 << 20,
            max_apply_bytes: 8 << 20,
            max_batch_bytes: 8 << 20,
            plants: Plants::default(),
        }
    }
}
