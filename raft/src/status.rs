//! What everybody may ask at any time without disturbing the node's thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keyport_api::raftpb::ConfState;
use parking_lot::RwLock;

/// A look at the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// This member.
    pub id: u64,
    /// The leader's id, 0 when unknown.
    pub leader: u64,
    /// Current term.
    pub term: u64,
    /// Highest committed index known here.
    pub commit: u64,
    /// Highest index handed to the state machine.
    pub applied: u64,
    /// Highest index in the log.
    pub last_index: u64,
    /// Lowest index that a follower can still be sent from the log in memory.
    pub first_index: u64,
    /// Whether this member is a learner.
    pub is_learner: bool,
    /// Configuration in force.
    pub conf_state: ConfState,
}

/// How far the leader knows a member's log to agree with its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The member.
    pub id: u64,
    /// Highest index known to be in its log.
    pub matched: u64,
}

/// The shared cells behind [`Status`]; written by the node's thread only.
#[derive(Debug, Default)]
pub(crate) struct SharedStatus {
    pub(crate) id: u64,
    pub(crate) leader: AtomicU64,
    pub(crate) term: AtomicU64,
    pub(crate) commit: AtomicU64,
    /// The part of `commit` that anybody may have answered for without having applied it here: another member, which hears
    /// of it from this one, or an earlier run of this one.
    pub(crate) told: AtomicU64,
    pub(crate) applied: AtomicU64,
    pub(crate) last_index: AtomicU64,
    pub(crate) first_index: AtomicU64,
    /// The sole voter is this member, it leads, and it has committed an entry of its own term. Falls before, and rises
    /// after, everything else that a turn makes known: see [`SharedStatus::sole_voter_index`].
    pub(crate) single_voter_leader: AtomicBool,
    /// The term in which this member was last told to hand its leadership over; 0 for none.
    pub(crate) handed_over: AtomicU64,
    pub(crate) is_learner: AtomicBool,
    /// The state machine has no room for more entries.
    pub(crate) is_full: AtomicBool,
    pub(crate) conf_state: RwLock<ConfState>,
}

impl SharedStatus {
    pub(crate) fn new(id: u64) -> SharedStatus {
        SharedStatus { id, ..SharedStatus::default() }
    }

    /// As the only voter and leader: a read that begins now is linearizable once this index is applied here. What is
    /// committed beyond it nobody has answered for, as answers are given here only for what is applied.
    pub(crate) fn sole_voter_index(&self) -> Option<u64> {
        let alone = self.single_voter_leader.load(Ordering::Acquire);
        alone.then(|| self.told.load(Ordering::Acquire))
    }

    pub(crate) fn read(&self) -> Status {
        let conf_state = self.conf_state.read().clone();
        Status {
            id: self.id,
            leader: self.leader.load(Ordering::Acquire),
            term: self.term.load(Ordering::Acquire),
            commit: self.commit.load(Ordering::Acquire),
            applied: self.applied.load(Ordering::Acquire),
            last_index: self.last_index.load(Ordering::Acquire),
            first_index: self.first_index.load(Ordering::Acquire),
            is_learner: self.is_learner.load(Ordering::Acquire),
            conf_state,
        }
    }
}
