//! Proposals that cannot be stepped now and wait: for a leader that can be reached, for the end of a hand-over of leadership,
//! or, a membership change, for the one before it to be applied.
//!
//! Raft itself would lose them or, worse, turn the change into an empty entry that its proposer never hears of. Only what
//! has not left this member waits: what was sent may be in the log, and is never sent again.

use std::collections::VecDeque;

use bytes::Bytes;
use raft::StateRole;
use raft::eraftpb::{Entry, EntryType, Message, MessageType};

use super::Driver;
use super::membership::decode_change;
use crate::state_machine::{Configuration, DropReason};

/// Proposals that wait; more are dropped.
const MAX_HELD: usize = 5_000;
/// Bytes of them.
const MAX_HELD_BYTES: usize = 64 << 20;
/// The same for membership changes.
const MAX_HELD_CHANGES: usize = 64;

/// Everything that waits, with its age in ticks; oldest first.
#[derive(Debug, Default)]
pub(super) struct Held {
    proposals: VecDeque<(Bytes, usize)>,
    /// What `proposals` take.
    bytes: usize,
    changes: VecDeque<(Entry, usize)>,
    /// Given up since somebody asked.
    dropped: Vec<(Bytes, DropReason)>,
    dropped_changes: Vec<(Configuration, DropReason)>,
}

impl Held {
    pub(super) fn hold(&mut self, data: Bytes) {
        let bytes = self.bytes.saturating_add(data.len());
        if self.proposals.len() < MAX_HELD && bytes <= MAX_HELD_BYTES {
            self.bytes = bytes;
            self.proposals.push_back((data, 0));
        } else {
            self.drop_proposal(data, DropReason::NoLeader);
        }
    }

    fn take_proposals(&mut self) -> Vec<Bytes> {
        self.bytes = 0;
        std::mem::take(&mut self.proposals).into_iter().map(|(data, _)| data).collect()
    }

    pub(super) fn hold_change(&mut self, entry: Entry) {
        if self.changes.len() < MAX_HELD_CHANGES {
            self.changes.push_back((entry, 0));
        } else {
            self.drop_change(&entry, DropReason::Refused);
        }
    }

    pub(super) fn drop_proposal(&mut self, data: Bytes, reason: DropReason) {
        self.dropped.push((data, reason));
    }

    fn drop_change(&mut self, entry: &Entry, reason: DropReason) {
        // One that does not decode was proposed by nobody here.
        if let Ok(change) = decode_change(entry.get_entry_type(), &entry.data) {
            self.dropped_changes.push((change, reason));
        }
    }

    /// One tick has passed; what is older than `limit` ticks is given up.
    pub(super) fn tick(&mut self, limit: usize) {
        self.proposals.iter_mut().for_each(|(_, age)| *age += 1);
        self.changes.iter_mut().for_each(|(_, age)| *age += 1);
        while let Some((data, _)) = self.proposals.pop_front_if(|(_, age)| *age > limit) {
            self.bytes -= data.len();
            self.drop_proposal(data, DropReason::NoLeader);
        }
        while let Some((entry, _)) = self.changes.pop_front_if(|(_, age)| *age > limit) {
            self.drop_change(&entry, DropReason::NoLeader);
        }
    }

    pub(super) fn take_dropped(&mut self) -> Vec<(Bytes, DropReason)> {
        std::mem::take(&mut self.dropped)
    }

    pub(super) fn take_dropped_changes(&mut self) -> Vec<(Configuration, DropReason)> {
        std::mem::take(&mut self.dropped_changes)
    }
}

impl Driver {
    /// Whether a proposal can be stepped now: some leader is known and can be reached, and if it is this member it is not
    /// on its way out.
    pub(super) fn takes_proposals(&self) -> bool {
        let raft = &self.raw.raft;
        raft.leader_id != 0 && self.unreachable != raft.leader_id && raft.lead_transferee.is_none()
    }

    /// Says whether there is a way to the leader. While there is none, proposals wait for it, or for another leader.
    pub fn leader_is_reachable(&mut self, reachable: bool) {
        let leader = self.raw.raft.leader_id;
        let unreachable = if reachable { 0 } else { leader };
        if std::mem::replace(&mut self.unreachable, unreachable) != unreachable {
            self.release_held();
        }
    }

    /// Takes out of a forwarded proposal what a leader cannot step now. Whether anything is left to be stepped.
    pub(super) fn hold_forwarded(&mut self, message: &mut Message) -> bool {
        if message.get_msg_type() != MessageType::MsgPropose || self.raw.raft.state != StateRole::Leader {
            return true;
        }
        let hold_all = !self.takes_proposals();
        let is_normal = |entry: &Entry| entry.get_entry_type() == EntryType::EntryNormal;
        if !hold_all && message.get_entries().iter().all(is_normal) {
            return true;
        }
        for entry in std::mem::take(message.mut_entries()) {
            match entry.get_entry_type() {
                EntryType::EntryNormal if hold_all => self.held.hold(entry.data),
                EntryType::EntryNormal => message.mut_entries().push(entry),
                EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => self.held.hold_change(entry),
            }
        }
        !message.get_entries().is_empty()
    }

    /// Steps what does not have to wait any more.
    pub(super) fn release_held(&mut self) {
        if !self.takes_proposals() {
            return;
        }
        if !self.held.proposals.is_empty() {
            let held = self.held.take_proposals();
            self.propose(held);
        }
        // A leader takes one, and the next one once that is applied; a follower passes on what it has.
        while self.raw.raft.state != StateRole::Leader || !self.raw.raft.has_pending_conf() {
            let Some((entry, age)) = self.held.changes.pop_front() else { return };
            if !self.may_change(&entry) {
                self.held.drop_change(&entry, DropReason::Refused);
            } else if !self.propose_change(&entry) {
                // No room in the log's uncommitted part: tried again with the next input.
                self.held.changes.push_front((entry, age));
                return;
            }
        }
    }

    /// Whether a change is possible: while a configuration is a joint one, the only change is to leave it.
    fn may_change(&self, entry: &Entry) -> bool {
        let joint = !self.log().delivered().conf_state.voters_outgoing.is_empty();
        match decode_change(entry.get_entry_type(), &entry.data) {
            Ok(Configuration::Simple(_)) => !joint,
            Ok(Configuration::Joint(change)) => joint == change.changes.is_empty(),
            Err(_) => false,
        }
    }

    /// What `raft-rs` does with a proposed change, but without its own parser: that knows other numbers for the kinds of
    /// changes than etcd, and would refuse every learner.
    fn propose_change(&mut self, entry: &Entry) -> bool {
        let raft = &mut self.raw.raft;
        if raft.state != StateRole::Leader {
            return self.step_proposal(vec![entry.clone()]).is_ok();
        }
        let index = raft.raft_log.last_index() + 1;
        if raft.prs().get(raft.id).is_none() || !raft.append_entry(&mut [entry.clone()]) {
            return false;
        }
        raft.pending_conf_index = index;
        raft.bcast_append();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_bounded_in_number_and_bytes() {
        let mut held = Held::default();
        let megabyte = Bytes::from(vec![0; 1 << 20]);
        (0..70).for_each(|_| held.hold(megabyte.clone()));
        assert_eq!((held.proposals.len(), held.take_dropped().len()), (64, 6));
        held.tick(0);
        assert_eq!((held.take_dropped().len(), held.bytes), (64, 0));
        (0..MAX_HELD + 1).for_each(|_| held.hold(Bytes::from_static(b"x")));
        assert_eq!((held.take_dropped().len(), held.take_proposals().len(), held.bytes), (1, MAX_HELD, 0));
    }
}
