//! Messages on their way out.

use keyport_api::raftpb;
use raft::eraftpb::{self, MessageType};

use super::Driver;
use crate::convert;

/// Leaves out appends that only tell the commit index, where a later append to the same member tells it as well: with
/// acknowledgements and proposals in one turn that is every second message. A member that gets only the later one is as
/// well off as if the earlier one had been lost.
pub(super) fn without_superseded(mut messages: Vec<eraftpb::Message>) -> Vec<eraftpb::Message> {
    let mut told = Vec::new();
    let mut kept = messages.len();
    for at in (0..messages.len()).rev() {
        let Some(message) = messages.get(at) else { break };
        if message.get_msg_type() == MessageType::MsgAppend {
            if told.contains(&message.to) && message.get_entries().is_empty() {
                continue;
            }
            told.push(message.to);
        }
        kept -= 1;
        messages.swap(at, kept);
    }
    messages.split_off(kept)
}

impl Driver {
    /// A candidate whose term is over hears so from a member without a leader. `raft-rs` ignores it, so two candidates that
    /// do not reach each other both ways, or not as voters, could count up their terms side by side for ever. (Where there
    /// is a leader, that one says so. Pre-votes are answered by `raft-rs`.)
    pub(super) fn answer_late_candidate(&mut self, message: &eraftpb::Message) {
        let raft = &mut self.raw.raft;
        let is_late = message.get_msg_type() == MessageType::MsgRequestVote && message.term < raft.term;
        if is_late && raft.leader_id == 0 {
            let mut answer =
                eraftpb::Message { from: raft.id, to: message.from, term: raft.term, ..Default::default() };
            answer.set_msg_type(MessageType::MsgRequestVoteResponse);
            answer.reject = true;
            raft.msgs.push(answer);
        }
    }
}

/// As they leave member `id`. What others sent here in the belief that it leads, `raft-rs` passes on in their name, but a
/// peer may speak for itself only. A proposal becomes this member's own. Anything else is left out: who asked for a read
/// asks again.
pub(super) fn from_raft(id: u64, messages: Vec<eraftpb::Message>) -> Vec<raftpb::Message> {
    let own = messages.into_iter().filter_map(|mut message| {
        if message.get_msg_type() == MessageType::MsgPropose {
            message.from = id;
        }
        (message.from == id).then_some(message)
    });
    own.map(convert::message_from_raft).collect()
}
