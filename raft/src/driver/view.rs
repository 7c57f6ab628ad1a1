//! What can be asked of a driver, at any time.

use keyport_api::raftpb;
use raft::StateRole;

use super::Driver;
use crate::convert;
use crate::state_machine::LeaderState;
use crate::status::Progress;
use crate::wal::SnapshotMark;

impl Driver {
    /// How far each member's log is known to agree with this leader's, this member included; none on a follower.
    pub fn progress(&self) -> Option<Vec<Progress>> {
        let raft = &self.raw.raft;
        let progress = |(id, progress): (&u64, &raft::Progress)| Progress { id: *id, matched: progress.matched };
        (raft.state == StateRole::Leader).then(|| raft.prs().iter().map(progress).collect())
    }

    /// Everything handed to the state machine so far, as a snapshot mark.
    pub fn delivered(&self) -> &SnapshotMark {
        self.log().delivered()
    }

    /// Highest committed index known here.
    pub fn commit(&self) -> u64 {
        self.raw.raft.raft_log.committed
    }

    /// The last term in which this member, as its leader, was told to hand over; 0 for none. A target that hears of it
    /// late still campaigns, and asks nobody to wait for this leader.
    pub fn handed_over(&self) -> u64 {
        self.handed_over
    }

    /// Term, vote and commit index now.
    pub fn hard_state(&self) -> raftpb::HardState {
        convert::hard_state_from_raft(&self.raw.raft.hard_state())
    }

    /// Index of the last membership change that this leader has committed, or 0. Right after an election it may be that
    /// of another entry.
    pub fn committed_change(&self) -> u64 {
        let raft = &self.raw.raft;
        if raft.pending_conf_index <= raft.raft_log.committed { raft.pending_conf_index } else { 0 }
    }

    /// Highest index in the log.
    pub fn last_index(&self) -> u64 {
        self.raw.raft.raft_log.last_index()
    }

    /// Leader and term now.
    pub fn leader(&self) -> LeaderState {
        let raft = &self.raw.raft;
        LeaderState { leader: raft.leader_id, term: raft.term, is_leader: raft.state == StateRole::Leader }
    }

    /// Whether this member is the only voter.
    pub fn is_only_voter(&self) -> bool {
        let conf = &self.log().delivered().conf_state;
        conf.voters == [self.config.id] && conf.voters_outgoing.is_empty()
    }

    /// Whether this member is the only voter, leads, and has delivered an entry of its own term.
    pub fn is_single_voter_leader(&self) -> bool {
        self.is_only_voter() && self.leader().is_leader && self.log().delivered().term == self.raw.raft.term
    }

    /// ReadIndex rounds that had to be repeated.
    pub fn read_retries(&self) -> u64 {
        self.read_retries
    }

    /// The first index of the log in memory.
    pub fn first_index(&self) -> u64 {
        self.log().first()
    }

    /// Entries and bytes of the log in memory.
    pub fn memory(&self) -> (u64, usize) {
        (self.log().last() + 1 - self.log().first(), self.log().bytes())
    }

    /// The term of the entry at an index, while it is known: for checks.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        self.log().term_at(index)
    }

    /// The entry at an index, while it is in memory: for checks.
    pub fn entry(&self, index: u64) -> Option<raftpb::Entry> {
        self.log().get(index).cloned().map(convert::entry_from_raft)
    }
}
