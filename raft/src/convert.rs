//! Between our messages and those of `raft-rs`. Payloads are moved or shared, never copied, and `raft-rs` never parses a
//! byte that came from outside: everything is decoded by `keyport_api` first.

use bytes::Bytes;
use keyport_api::raftpb;
use raft::eraftpb;

/// A message kind that no peer may send, or an unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message type {0} is not one that peers exchange")]
pub struct UnknownType(pub i32);

fn some_bytes(bytes: Bytes) -> Option<Bytes> {
    (!bytes.is_empty()).then_some(bytes)
}

fn some(value: u64) -> Option<u64> {
    (value != 0).then_some(value)
}

pub(crate) fn entry_to_raft(entry: raftpb::Entry) -> eraftpb::Entry {
    let kind = match entry.r#type() {
        raftpb::EntryType::EntryNormal => eraftpb::EntryType::EntryNormal,
        raftpb::EntryType::EntryConfChange => eraftpb::EntryType::EntryConfChange,
        raftpb::EntryType::EntryConfChangeV2 => eraftpb::EntryType::EntryConfChangeV2,
    };
    eraftpb::Entry {
        entry_type: kind,
        term: entry.term(),
        index: entry.index(),
        data: entry.data.unwrap_or_default(),
        ..eraftpb::Entry::default()
    }
}

pub(crate) fn entry_from_raft(mut entry: eraftpb::Entry) -> raftpb::Entry {
    raftpb::Entry {
        r#type: Some(entry_kind(&entry)),
        term: Some(entry.term),
        index: Some(entry.index),
        data: some_bytes(std::mem::take(&mut entry.data)),
    }
}

/// The entry's kind as a number; both sides use the same.
pub(crate) fn entry_kind(entry: &eraftpb::Entry) -> i32 {
    match entry.get_entry_type() {
        eraftpb::EntryType::EntryNormal => 0,
        eraftpb::EntryType::EntryConfChange => 1,
        eraftpb::EntryType::EntryConfChangeV2 => 2,
    }
}

pub(crate) fn hard_state_to_raft(state: &raftpb::HardState) -> eraftpb::HardState {
    eraftpb::HardState {
        term: state.term(),
        vote: state.vote(),
        commit: state.commit(),
        ..eraftpb::HardState::default()
    }
}

pub(crate) fn hard_state_from_raft(state: &eraftpb::HardState) -> raftpb::HardState {
    raftpb::HardState { term: Some(state.term), vote: Some(state.vote), commit: Some(state.commit) }
}

pub(crate) fn conf_state_to_raft(state: &raftpb::ConfState) -> eraftpb::ConfState {
    eraftpb::ConfState {
        voters: state.voters.clone(),
        learners: state.learners.clone(),
        voters_outgoing: state.voters_outgoing.clone(),
        learners_next: state.learners_next.clone(),
        auto_leave: state.auto_leave(),
        ..eraftpb::ConfState::default()
    }
}

/// Member ids come out in ascending order, so that equal configurations are equal messages.
pub(crate) fn conf_state_from_raft(state: &eraftpb::ConfState) -> raftpb::ConfState {
    let sorted = |ids: &[u64]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    };
    raftpb::ConfState {
        voters: sorted(&state.voters),
        learners: sorted(&state.learners),
        voters_outgoing: sorted(&state.voters_outgoing),
        learners_next: sorted(&state.learners_next),
        auto_leave: Some(state.auto_leave),
    }
}

pub(crate) fn snapshot_to_raft(snapshot: raftpb::Snapshot) -> eraftpb::Snapshot {
    let mut to = eraftpb::Snapshot { data: snapshot.data.unwrap_or_default(), ..eraftpb::Snapshot::default() };
    if let Some(metadata) = snapshot.metadata {
        to.mut_metadata().index = metadata.index();
        to.mut_metadata().term = metadata.term();
        if let Some(conf_state) = metadata.conf_state {
            to.mut_metadata().set_conf_state(conf_state_to_raft(&conf_state));
        }
    }
    to
}

pub(crate) fn snapshot_from_raft(mut snapshot: eraftpb::Snapshot) -> raftpb::Snapshot {
    let metadata = snapshot.get_metadata();
    raftpb::Snapshot {
        metadata: Some(raftpb::SnapshotMetadata {
            conf_state: Some(conf_state_from_raft(metadata.get_conf_state())),
            index: Some(metadata.index),
            term: Some(metadata.term),
        }),
        data: some_bytes(std::mem::take(&mut snapshot.data)),
    }
}

pub(crate) fn message_to_raft(message: raftpb::Message) -> Result<eraftpb::Message, UnknownType> {
    use raftpb::MessageType as From;
    let unknown = UnknownType(message.r#type.unwrap_or_default());
    let kind = match From::try_from(unknown.0).map_err(|_| unknown)? {
        From::MsgProp => eraftpb::MessageType::MsgPropose,
        From::MsgApp => eraftpb::MessageType::MsgAppend,
        From::MsgAppResp => eraftpb::MessageType::MsgAppendResponse,
        From::MsgVote => eraftpb::MessageType::MsgRequestVote,
        From::MsgVoteResp => eraftpb::MessageType::MsgRequestVoteResponse,
        From::MsgSnap => eraftpb::MessageType::MsgSnapshot,
        From::MsgHeartbeat => eraftpb::MessageType::MsgHeartbeat,
        From::MsgHeartbeatResp => eraftpb::MessageType::MsgHeartbeatResponse,
        From::MsgTransferLeader => eraftpb::MessageType::MsgTransferLeader,
        From::MsgTimeoutNow => eraftpb::MessageType::MsgTimeoutNow,
        From::MsgReadIndex => eraftpb::MessageType::MsgReadIndex,
        From::MsgReadIndexResp => eraftpb::MessageType::MsgReadIndexResp,
        From::MsgPreVote => eraftpb::MessageType::MsgRequestPreVote,
        From::MsgPreVoteResp => eraftpb::MessageType::MsgRequestPreVoteResponse,
        From::MsgHup
        | From::MsgBeat
        | From::MsgUnreachable
        | From::MsgSnapStatus
        | From::MsgCheckQuorum
        | From::MsgStorageAppend
        | From::MsgStorageAppendResp
        | From::MsgStorageApply
        | From::MsgStorageApplyResp
        | From::MsgForgetLeader => return Err(unknown),
    };
    let mut to = eraftpb::Message {
        msg_type: kind,
        to: message.to(),
        from: message.from(),
        term: message.term(),
        log_term: message.log_term(),
        index: message.index(),
        commit: message.commit(),
        reject: message.reject(),
        reject_hint: message.reject_hint(),
        entries: message.entries.into_iter().map(entry_to_raft).collect(),
        context: message.context.unwrap_or_default(),
        ..eraftpb::Message::default()
    };
    if is_about_votes(kind) {
        to.commit_term = std::mem::take(&mut to.reject_hint);
    }
    if let Some(snapshot) = message.snapshot {
        to.set_snapshot(snapshot_to_raft(snapshot));
    }
    Ok(to)
}

/// Candidates and voters tell each other how far they know the log to be committed. `raft-rs` has a field for that entry's
/// term, etcd's message has not: it travels as the hint, which means nothing in these.
fn is_about_votes(kind: eraftpb::MessageType) -> bool {
    use eraftpb::MessageType as Is;
    matches!(
        kind,
        Is::MsgRequestVote | Is::MsgRequestVoteResponse | Is::MsgRequestPreVote | Is::MsgRequestPreVoteResponse
    )
}

pub(crate) fn message_from_raft(mut message: eraftpb::Message) -> raftpb::Message {
    use eraftpb::MessageType as From;
    let kind = match message.get_msg_type() {
        From::MsgHup => raftpb::MessageType::MsgHup,
        From::MsgBeat => raftpb::MessageType::MsgBeat,
        From::MsgPropose => raftpb::MessageType::MsgProp,
        From::MsgAppend => raftpb::MessageType::MsgApp,
        From::MsgAppendResponse => raftpb::MessageType::MsgAppResp,
        From::MsgRequestVote => raftpb::MessageType::MsgVote,
        From::MsgRequestVoteResponse => raftpb::MessageType::MsgVoteResp,
        From::MsgSnapshot => raftpb::MessageType::MsgSnap,
        From::MsgHeartbeat => raftpb::MessageType::MsgHeartbeat,
        From::MsgHeartbeatResponse => raftpb::MessageType::MsgHeartbeatResp,
        From::MsgUnreachable => raftpb::MessageType::MsgUnreachable,
        From::MsgSnapStatus => raftpb::MessageType::MsgSnapStatus,
        From::MsgCheckQuorum => raftpb::MessageType::MsgCheckQuorum,
        From::MsgTransferLeader => raftpb::MessageType::MsgTransferLeader,
        From::MsgTimeoutNow => raftpb::MessageType::MsgTimeoutNow,
        From::MsgReadIndex => raftpb::MessageType::MsgReadIndex,
        From::MsgReadIndexResp => raftpb::MessageType::MsgReadIndexResp,
        From::MsgRequestPreVote => raftpb::MessageType::MsgPreVote,
        From::MsgRequestPreVoteResponse => raftpb::MessageType::MsgPreVoteResp,
    };
    if is_about_votes(message.get_msg_type()) {
        message.reject_hint = message.commit_term;
    }
    let snapshot = message.has_snapshot().then(|| snapshot_from_raft(message.take_snapshot()));
    raftpb::Message {
        r#type: Some(kind as i32),
        to: some(message.to),
        from: some(message.from),
        term: some(message.term),
        log_term: some(message.log_term),
        index: some(message.index),
        commit: some(message.commit),
        vote: None,
        snapshot,
        reject: message.reject.then_some(true),
        reject_hint: some(message.reject_hint),
        context: some_bytes(std::mem::take(&mut message.context)),
        entries: message.take_entries().into_iter().map(entry_from_raft).collect(),
        responses: Vec::new(),
    }
}

/// A membership change for Raft; `None` when it does not concern Raft (an update of a member's addresses).
pub(crate) fn conf_change_to_raft(change: &raftpb::ConfChange) -> Option<eraftpb::ConfChange> {
    Some(eraftpb::ConfChange {
        node_id: change.node_id(),
        change_type: change_kind(change.r#type())?,
        ..eraftpb::ConfChange::default()
    })
}

/// The same for several changes at once.
pub(crate) fn joint_change_to_raft(change: &raftpb::ConfChangeV2) -> eraftpb::ConfChangeV2 {
    let transition = match change.transition() {
        raftpb::ConfChangeTransition::Auto => eraftpb::ConfChangeTransition::Auto,
        raftpb::ConfChangeTransition::JointImplicit => eraftpb::ConfChangeTransition::Implicit,
        raftpb::ConfChangeTransition::JointExplicit => eraftpb::ConfChangeTransition::Explicit,
    };
    let singles = change.changes.iter().filter_map(|single| {
        Some(eraftpb::ConfChangeSingle {
            node_id: single.node_id(),
            change_type: change_kind(single.r#type())?,
            ..eraftpb::ConfChangeSingle::default()
        })
    });
    eraftpb::ConfChangeV2 { transition, changes: singles.collect(), ..eraftpb::ConfChangeV2::default() }
}

fn change_kind(kind: raftpb::ConfChangeType) -> Option<eraftpb::ConfChangeType> {
    Some(match kind {
        raftpb::ConfChangeType::ConfChangeAddNode => eraftpb::ConfChangeType::AddNode,
        raftpb::ConfChangeType::ConfChangeRemoveNode => eraftpb::ConfChangeType::RemoveNode,
        raftpb::ConfChangeType::ConfChangeAddLearnerNode => eraftpb::ConfChangeType::AddLearnerNode,
        raftpb::ConfChangeType::ConfChangeUpdateNode => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_both_ways() {
        let message = raftpb::Message {
            r#type: Some(raftpb::MessageType::MsgApp as i32),
            to: Some(2),
            from: Some(1),
            term: Some(3),
            log_term: Some(2),
            index: Some(7),
            commit: Some(6),
            context: Some(Bytes::from_static(b"ctx")),
            entries: vec![raftpb::Entry {
                r#type: Some(1),
                term: Some(3),
                index: Some(8),
                data: Some(Bytes::from_static(b"data")),
            }],
            snapshot: Some(raftpb::Snapshot {
                data: None,
                metadata: Some(raftpb::SnapshotMetadata {
                    conf_state: Some(raftpb::ConfState {
                        voters: vec![1, 2],
                        auto_leave: Some(false),
                        ..Default::default()
                    }),
                    index: Some(5),
                    term: Some(2),
                }),
            }),
            reject: Some(true),
            reject_hint: Some(4),
            ..Default::default()
        };
        assert_eq!(message_from_raft(message_to_raft(message.clone()).unwrap()), message);
    }

    #[test]
    fn votes_say_in_which_term_the_last_committed_entry_is() {
        use raftpb::MessageType::{MsgPreVote, MsgPreVoteResp, MsgVote, MsgVoteResp};
        for kind in [MsgVote, MsgVoteResp, MsgPreVote, MsgPreVoteResp] {
            let message = raftpb::Message {
                r#type: Some(kind as i32),
                commit: Some(6),
                reject_hint: Some(4),
                ..Default::default()
            };
            let inside = message_to_raft(message.clone()).unwrap();
            assert_eq!((inside.commit, inside.commit_term, inside.reject_hint), (6, 4, 0));
            assert_eq!(message_from_raft(inside), message);
        }
    }

    #[test]
    fn local_and_unknown_types_are_refused() {
        for kind in [0, 1, 10, 11, 12, 19, 23, 24, -1] {
            let message = raftpb::Message { r#type: Some(kind), ..Default::default() };
            assert_eq!(message_to_raft(message).unwrap_err(), UnknownType(kind));
        }
    }

    #[test]
    fn payloads_are_not_copied() {
        let data = Bytes::from(vec![7; 100]);
        let entry = raftpb::Entry { data: Some(data.clone()), ..Default::default() };
        assert_eq!(entry_to_raft(entry).data.as_ptr(), data.as_ptr());
    }
}
