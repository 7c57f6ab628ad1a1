//! What a peer may say. `raft-rs` trusts its messages and ends the process over some that are wrong, so what would do
//! that is refused here, before it gets there.

use prost::Message as _;
use raft::eraftpb::{EntryType, Message, MessageType};

use super::log::MemoryLog;
use super::membership::decode_change;
use crate::convert::UnknownType;
use crate::state_machine::Configuration;

/// Terms and indexes beyond this are not reached by counting, and leave room to count on.
const MAX_COUNT: u64 = 1 << 62;

/// Why a peer's message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// Not a kind of message that peers exchange.
    #[error(transparent)]
    Unknown(#[from] UnknownType),
    /// Sent to or by the wrong member.
    #[error("message from {from} to {to} reached member {id}")]
    Address {
        /// Sender named.
        from: u64,
        /// Receiver named.
        to: u64,
        /// This member.
        id: u64,
    },
    /// An answer from a member that is not in the configuration.
    #[error("sender is not a member")]
    NotMember,
    /// The message contradicts itself.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
    /// The message takes for granted that this member has entries that it does not have.
    #[error("message refers to entries up to {index}, but the log ends at {last}: entries were lost")]
    Ahead {
        /// What it refers to.
        index: u64,
        /// What is here.
        last: u64,
    },
    /// A snapshot of a log that went another way than what is committed here.
    #[error("the snapshot is at entry {index} of term {term}, but entry {} of term {} is committed here", committed.0, committed.1)]
    OtherHistory {
        /// Its last entry.
        index: u64,
        /// That entry's term.
        term: u64,
        /// The last committed entry and its term.
        committed: (u64, u64),
    },
}

/// What this member's log has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Its last entry.
    pub(super) last: u64,
    /// The last entry that is committed, and its term.
    pub(super) committed: (u64, u64),
}

/// Checks a message and brings it into the form that `raft-rs` expects.
pub(super) fn check(id: u64, known: Known, message: &mut Message) -> Result<(), StepError> {
    let last = known.last;
    let (from, to) = (message.from, message.to);
    if from == 0 || from == id || to != id {
        return Err(StepError::Address { from, to, id });
    }
    for count in [message.term, message.index, message.log_term, message.commit, message.reject_hint] {
        if count >= MAX_COUNT {
            return Err(StepError::Malformed("absurd term or index"));
        }
    }
    match message.get_msg_type() {
        // Passed on by a follower, without a term of their own.
        MessageType::MsgPropose => {
            message.term = 0;
            check_proposal(message)
        }
        MessageType::MsgReadIndex => {
            message.term = 0;
            check_context(message)
        }
        MessageType::MsgTransferLeader => {
            message.term = 0;
            Ok(())
        }
        _ if message.term == 0 => Err(StepError::Malformed("no term")),
        MessageType::MsgReadIndexResp => check_context(message),
        MessageType::MsgAppend => check_append(message),
        MessageType::MsgAppendResponse if !message.reject && message.index > last => {
            Err(StepError::Malformed("acknowledges entries that were never sent"))
        }
        MessageType::MsgHeartbeat if message.commit > last => Err(StepError::Ahead { index: message.commit, last }),
        MessageType::MsgSnapshot => check_snapshot(message).and_then(|()| check_history(message, known.committed)),
        _ => Ok(()),
    }
}

fn check_proposal(message: &mut Message) -> Result<(), StepError> {
    if message.entries.is_empty() {
        return Err(StepError::Malformed("empty proposal"));
    }
    for entry in message.mut_entries() {
        let kind = entry.get_entry_type();
        if kind == EntryType::EntryNormal {
            continue;
        }
        // Decoded by us and encoded again, so that what raft-rs parses is ours.
        entry.data = match decode_change(kind, &entry.data) {
            Ok(Configuration::Simple(change)) => change.encode_to_vec().into(),
            Ok(Configuration::Joint(change)) => change.encode_to_vec().into(),
            // It would end every member that comes to apply it.
            Err(_) => return Err(StepError::Malformed("membership change that means nothing here")),
        };
    }
    Ok(())
}

fn check_context(message: &Message) -> Result<(), StepError> {
    match message.get_entries() {
        [entry] if !entry.data.is_empty() => Ok(()),
        _ => Err(StepError::Malformed("read index without context")),
    }
}

fn check_append(message: &Message) -> Result<(), StepError> {
    if (message.log_term == 0) != (message.index == 0) {
        return Err(StepError::Malformed("index and term of the previous entry do not go together"));
    }
    let (mut index, mut term) = (message.index, message.log_term.max(1));
    for entry in message.get_entries() {
        index += 1;
        if entry.index != index || entry.term < term || entry.term > message.term {
            return Err(StepError::Malformed("entries do not follow each other"));
        }
        term = entry.term;
    }
    Ok(())
}

fn check_snapshot(message: &Message) -> Result<(), StepError> {
    let metadata = message.get_snapshot().get_metadata();
    let conf = metadata.get_conf_state();
    if metadata.index == 0 || metadata.term == 0 || metadata.index >= MAX_COUNT || metadata.term > message.term {
        return Err(StepError::Malformed("snapshot without index or term"));
    }
    let voters = conf.get_voters();
    let sets = [voters, conf.get_voters_outgoing(), conf.get_learners(), conf.get_learners_next()];
    let unique = |ids: &[u64]| {
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| matches!(pair, [a, b] if a != b)) && !ids.contains(&0)
    };
    let outgoing = conf.get_voters_outgoing();
    let learner_votes = conf.get_learners().iter().any(|id| voters.contains(id) || outgoing.contains(id));
    let next_known = conf.get_learners_next().iter().all(|id| outgoing.contains(id) && !voters.contains(id));
    if voters.is_empty() || !sets.iter().all(|set| unique(set)) || learner_votes || !next_known {
        return Err(StepError::Malformed("snapshot with an impossible configuration"));
    }
    if outgoing.is_empty() && conf.auto_leave {
        return Err(StepError::Malformed("snapshot with an impossible configuration"));
    }
    Ok(())
}

/// Terms never fall along a log, and what is committed is the same in all. (Raft looks at the index alone, and answers for
/// one that is behind.)
fn check_history(message: &Message, committed: (u64, u64)) -> Result<(), StepError> {
    let metadata = message.get_snapshot().get_metadata();
    let (index, term) = (metadata.index, metadata.term);
    let fits = index < committed.0 || (index > committed.0 && term >= committed.1) || (index, term) == committed;
    if fits { Ok(()) } else { Err(StepError::OtherHistory { index, term, committed }) }
}

/// Whether a log could have been written by Raft at all; asked once, at start.
pub(super) fn check_log(log: &MemoryLog) -> bool {
    log.last() < MAX_COUNT
}
