//! Orders from this process: elections, and what the transport has to report.

use raft::{SnapshotStatus, StateRole};

use super::Driver;

impl Driver {
    /// Hands leadership over.
    pub fn transfer_leader(&mut self, to: u64) {
        self.raw.transfer_leader(to);
        self.settle();
    }

    /// Starts an election now, if this member is a voter. (`raft-rs` would look for its own progress, and end the
    /// process when there is none.)
    pub fn campaign(&mut self) {
        if self.raw.raft.promotable() && self.is_written() {
            // A member that has changes of the membership to apply first ignores it.
            let _ = self.raw.campaign();
            self.settle();
        }
    }

    /// Whether the whole log is on disk. Before that no election may be started from outside: a sole voter would win it
    /// at once, and `raft-rs` ends the process when a new leader has entries that are not written.
    pub(super) fn is_written(&self) -> bool {
        self.raw.raft.raft_log.last_index() == self.raw.raft.raft_log.persisted
    }

    /// A peer could not be reached.
    pub fn report_unreachable(&mut self, peer: u64) {
        self.raw.report_unreachable(peer);
        self.settle();
    }

    /// A peer's process has ended, as far as is known. A leader that has is not waited for any longer.
    pub fn peer_is_down(&mut self, peer: u64) {
        let raft = &mut self.raw.raft;
        if raft.state == StateRole::Follower && raft.leader_id == peer {
            raft.become_follower(raft.term, 0);
            self.patience.hurry();
            self.settle();
        }
    }

    /// A snapshot was delivered to a peer, or was not.
    pub fn report_snapshot(&mut self, to: u64, delivered: bool) {
        let status = if delivered { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(to, status);
        self.settle();
    }
}
