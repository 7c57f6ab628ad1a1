//! What the node drives.

use bytes::Bytes;
use keyport_api::raftpb::{ConfChange, ConfChangeV2, ConfState, Snapshot};

/// One committed entry, on its way into the state.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// Index in the log; consecutive.
    pub index: u64,
    /// Term in which the entry was proposed.
    pub term: u64,
    /// What it carries.
    pub kind: CommittedKind,
}

/// The payload of a committed entry.
#[derive(Debug, Clone, PartialEq)]
pub enum CommittedKind {
    /// A request; empty for the entry that a new leader writes.
    Normal(Bytes),
    /// A change of the membership, already in force when the state machine sees it.
    ConfChange {
        /// The change as it was proposed.
        change: Configuration,
        /// False when [`StateMachine::check_conf_change`] refused it, or Raft could not carry it out; nothing changed then.
        accepted: bool,
        /// The configuration after this entry; to be stored with the applied index.
        conf_state: ConfState,
    },
}

/// A proposed membership change in either encoding.
#[derive(Debug, Clone, PartialEq)]
pub enum Configuration {
    /// One member at a time; what etcd's API uses.
    Simple(ConfChange),
    /// Several at once, through a joint configuration. Without changes: the end of a joint configuration.
    Joint(ConfChangeV2),
}

/// Who leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderState {
    /// The leader's member id, 0 when unknown.
    pub leader: u64,
    /// The term.
    pub term: u64,
    /// Whether this member is the leader.
    pub is_leader: bool,
}

/// Why a proposal that had been queued will never reach the log from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// No leader was known for too long or too many proposals were already waiting for one. (For a membership change
    /// also: the one before it was not applied for too long.)
    NoLeader,
    /// Too many bytes, or too many membership changes, wait for their commit.
    Refused,
    /// It was bound to a term in which this member led, and which is over.
    TermOver,
}

/// Why the node's thread ended.
#[derive(Debug, thiserror::Error)]
pub enum StopReason {
    /// It was asked to.
    #[error("stopped")]
    Requested,
    /// The log could not be written or synced. What was not acknowledged may or may not be in it.
    #[error("write-ahead log failed: {0}")]
    Wal(#[source] crate::wal::WalError),
    /// A snapshot that a leader sent is not usable after all.
    #[error("received snapshot: {0}")]
    Snapshot(#[source] std::io::Error),
    /// The state machine cannot take another entry: see [`StateMachine::failure`].
    #[error("state machine: {0}")]
    StateMachine(String),
    /// Entries that this member has acknowledged are not in its log any more: it may have forgotten votes, too, and must
    /// not go on as the member that gave them.
    #[error("the log has lost entries: it ends at {last}, and a leader knows that this member had {index}")]
    LogLost {
        /// An entry that this member has acknowledged.
        index: u64,
        /// Where its log ends.
        last: u64,
    },
    /// A broken assumption; the message is the panic's.
    #[error("raft thread panicked: {0}")]
    Panicked(String),
}

/// The replicated state, as the node's thread sees it. All calls come from that one thread.
pub trait StateMachine: Send + 'static {
    /// Takes committed entries, in order and without gaps. Returns quickly: what takes time waits elsewhere, so that
    /// elections and the log go on. How much waits is bounded by [`StateMachine::has_room`].
    fn apply(&mut self, committed: Vec<Committed>);

    /// Whether new entries may come. While not, proposals are refused, and entries that other members send are lost, as
    /// on a bad network: Raft sends them again.
    fn has_room(&self) -> bool {
        true
    }

    /// Why no entry can be applied any more, if that is so. Asked around every turn; the node ends then, as what is
    /// committed later must not take effect here without what came before.
    fn failure(&self) -> Option<String> {
        None
    }

    /// Whether an entry that another member wants to have in the log means anything here. One that does not would end
    /// every member, so a leader refuses it. Asked about normal entries that peers pass on, and no others.
    fn understands(&self, data: &Bytes) -> bool {
        let _ = data;
        true
    }

    /// Whether a membership change may be carried out, judged by the state after every entry handed over so far,
    /// applied or not. Must come to the same verdict on every member.
    fn check_conf_change(&mut self, change: &Configuration) -> bool {
        let _ = change;
        true
    }

    /// Replaces the whole state by the snapshot a leader sent. It is already recorded in the log: should the process
    /// end before this is done, [`crate::wal::Recovered`] names it at the next start.
    ///
    /// # Errors
    /// When what was received is not usable; the node ends.
    fn install_snapshot(&mut self, snapshot: Snapshot) -> std::io::Result<()> {
        let _ = snapshot;
        Ok(())
    }

    /// Index up to which what was handed over has been applied: what an image taken from now on has at least. Never falls.
    fn applied_index(&self) -> u64;

    /// Index up to which the state survives a crash by itself; the log may be released up to there.
    fn durable_index(&self) -> u64;

    /// Asks for everything applied so far to become durable soon. Does not wait.
    fn request_flush(&mut self) {}

    /// Leader or term changed.
    fn leader_changed(&mut self, state: LeaderState) {
        let _ = state;
    }

    /// A queued proposal was given up; `data` is what was proposed.
    fn dropped(&mut self, data: Bytes, reason: DropReason) {
        let _ = (data, reason);
    }

    /// A queued membership change was given up.
    fn conf_change_dropped(&mut self, change: Configuration, reason: DropReason) {
        let _ = (change, reason);
    }

    /// The last call: the node's thread ends.
    fn stopped(&mut self, reason: &StopReason) {
        let _ = reason;
    }
}
