//! Membership changes: carried out when they are delivered, once the state machine has agreed.

use bytes::Bytes;
use keyport_api::raftpb;
use prost::Message as _;
use raft::RawNode;
use raft::eraftpb::{self, EntryType};

use super::log::MemoryLog;
use super::outgoing::from_raft;
use super::{Driver, DriverError};
use crate::convert;
use crate::state_machine::{CommittedKind, Configuration, StateMachine};
use crate::wal::SnapshotMark;

/// Why a membership change means nothing to this release.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChangeError {
    #[error("does not decode: {0}")]
    Malformed(#[from] prost::DecodeError),
    #[error("is of a kind that this release does not know: {0}")]
    Unknown(#[from] prost::UnknownEnumValue),
}

impl Driver {
    /// # Errors
    /// When the entry means nothing here. It may to others, so going on without it could lead to another configuration
    /// than theirs.
    pub(super) fn change_membership(
        &mut self,
        entry: &eraftpb::Entry,
        state_machine: &mut dyn StateMachine,
    ) -> Result<CommittedKind, DriverError> {
        let change =
            decode_change(entry.get_entry_type(), &entry.data).map_err(|error| meaningless(entry.index, &error))?;
        let checked = state_machine.check_conf_change(&change);
        let due = checked.then_some(&change).filter(|_| !self.was_carried_out_early());
        let outcome = due.map_or(Ok(None), |change| self.carry_out(change));
        let accepted = checked && outcome.is_ok();
        match outcome {
            Ok(Some(conf_state)) => {
                self.raw.mut_store().set_conf_state(convert::conf_state_from_raft(&conf_state));
                self.step_down_if_removed();
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a committed membership change could not be carried out"),
        }
        Ok(CommittedKind::ConfChange { change, accepted, conf_state: self.log().delivered().conf_state.clone() })
    }

    pub(super) fn carry_out(&mut self, change: &Configuration) -> raft::Result<Option<eraftpb::ConfState>> {
        match change {
            Configuration::Simple(change) => {
                convert::conf_change_to_raft(change).map(|change| self.raw.apply_conf_change(&change)).transpose()
            }
            Configuration::Joint(change) => {
                self.raw.apply_conf_change(&convert::joint_change_to_raft(change)).map(Some)
            }
        }
    }

    /// A leader that is no voter any more tells the others how far it has committed, and stops leading. (`raft-rs` would
    /// go on, and end the process when it looks for its own progress.)
    fn step_down_if_removed(&mut self) {
        let (id, conf) = (self.config.id, &self.log().delivered().conf_state);
        if conf.voters.contains(&id) || conf.voters_outgoing.contains(&id) || !self.leader().is_leader {
            return;
        }
        let raft = &mut self.raw.raft;
        raft.bcast_append();
        // Taken here, because raft-rs sends nothing for a follower at this point of a turn.
        self.farewell.extend(from_raft(id, std::mem::take(&mut raft.msgs)));
        raft.become_follower(raft.term, 0);
    }
}

pub(super) fn decode_change(kind: EntryType, data: &Bytes) -> Result<Configuration, ChangeError> {
    let known = |kind: Option<i32>| raftpb::ConfChangeType::try_from(kind.unwrap_or_default()).map(drop);
    match kind {
        EntryType::EntryConfChangeV2 => {
            let change = raftpb::ConfChangeV2::decode(data.clone())?;
            raftpb::ConfChangeTransition::try_from(change.transition.unwrap_or_default())?;
            change.changes.iter().try_for_each(|single| known(single.r#type))?;
            Ok(Configuration::Joint(change))
        }
        _ => {
            let change = raftpb::ConfChange::decode(data.clone())?;
            known(change.r#type)?;
            Ok(Configuration::Simple(change))
        }
    }
}

fn meaningless(index: u64, error: &ChangeError) -> DriverError {
    DriverError::Log(format!("the membership change at {index} {error}"))
}

/// An index up to which everything in a log is committed, told by the membership changes in it: a leader proposes one
/// only after it has applied the one before, so all but the last are committed.
///
/// This has to be known after a restart, when the commit index on disk may be older: a member that could campaign with a
/// configuration two changes old might win with a quorum that does not meet the one in force, and lose what that has
/// committed.
pub(super) fn known_committed(entries: &[raftpb::Entry]) -> u64 {
    let changes = entries.iter().rev().filter(|entry| entry.r#type() != raftpb::EntryType::EntryNormal);
    changes.map(raftpb::Entry::index).nth(1).unwrap_or_default()
}

/// The configuration at `applied`, from the one at the snapshot and the changes since.
pub(crate) fn conf_state_at(
    snapshot: &SnapshotMark,
    entries: &[raftpb::Entry],
    applied: u64,
) -> Result<eraftpb::ConfState, DriverError> {
    let conf_state = convert::conf_state_to_raft(&snapshot.conf_state);
    let mut changes = Vec::new();
    for entry in entries.iter().take_while(|entry| entry.index() <= applied) {
        let kind = convert::entry_to_raft(entry.clone()).get_entry_type();
        if kind != EntryType::EntryNormal {
            let data = entry.data.clone().unwrap_or_default();
            let change = decode_change(kind, &data).map_err(|error| meaningless(entry.index(), &error))?;
            changes.push(change);
        }
    }
    if changes.is_empty() {
        return Ok(conf_state);
    }
    // A throw-away Raft knows the rules.
    let base = SnapshotMark { term: snapshot.term.max(1), ..snapshot.clone() };
    let log = MemoryLog::new(&base, Vec::new(), eraftpb::HardState::default(), base.index, conf_state.clone());
    let settings = raft::Config { id: u64::MAX, ..raft::Config::default() };
    let mut raw = RawNode::new(&settings, log, &slog::Logger::root(slog::Discard, slog::o!()))?;
    let mut last = conf_state;
    for change in &changes {
        let outcome = match change {
            Configuration::Simple(change) => {
                convert::conf_change_to_raft(change).map(|change| raw.apply_conf_change(&change))
            }
            Configuration::Joint(change) => Some(raw.apply_conf_change(&convert::joint_change_to_raft(change))),
        };
        // What Raft refuses now it refused then.
        if let Some(Ok(next)) = outcome {
            last = next;
        }
    }
    Ok(last)
}
