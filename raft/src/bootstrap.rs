//! How a member's log comes into being, and how it is cut loose from a cluster that is lost.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use keyport_api::raftpb::{ConfChange, ConfChangeType, ConfState, Entry, EntryType, HardState};
use prost::Message as _;

use crate::convert;
use crate::driver::{DriverError, conf_state_at};
use crate::wal::{Disk, Metadata, Recovered, SnapshotMark, Wal, WalError, WalOptions};

/// Payload between two syncs of a log that is copied.
const COPIED_AT_ONCE: usize = 16 << 20;

/// An initial member of a new cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialMember {
    /// Member id.
    pub id: u64,
    /// What its membership change carries (in etcd's API: the member as JSON).
    pub context: Bytes,
}

/// Makes the log of a member of a new cluster. Every member writes the same: one change for each initial member, in
/// the order of their ids, committed at term 1. Without members: a member that joins a cluster and hears all from it.
pub fn create_log(
    disk: Arc<dyn Disk>,
    options: WalOptions,
    metadata: Metadata,
    mut members: Vec<InitialMember>,
) -> Result<(Wal, Recovered), WalError> {
    members.sort_by_key(|member| member.id);
    let entries: Vec<Entry> = members.into_iter().zip(1..).map(|(member, index)| add_member(member, index)).collect();
    let hard_state = match entries.len() as u64 {
        0 => HardState::default(),
        n => HardState { term: Some(1), vote: Some(0), commit: Some(n) },
    };
    let wal = Wal::create(disk, options, metadata, &entries, hard_state)?;
    let snapshot = SnapshotMark::default();
    Ok((wal, Recovered { metadata, hard_state, snapshot, entries, repaired: None }))
}

/// Makes a log that goes on as another one does: from its snapshot, with its entries and its state. The commit index is no
/// later than that.
pub fn copy_log(disk: Arc<dyn Disk>, options: WalOptions, log: &Recovered) -> Result<(), WalError> {
    let mut wal = Wal::create(disk, options, log.metadata, &[], HardState::default())?;
    wal.install_snapshot(&log.snapshot)?;
    let mut bytes = 0;
    for entry in &log.entries {
        wal.push_entry(entry.into());
        bytes += entry.data.as_ref().map_or(0, Bytes::len);
        if bytes >= COPIED_AT_ONCE {
            wal.sync()?;
            bytes = 0;
        }
    }
    // First, or the state would not count them as committed.
    wal.sync()?;
    wal.push_state(log.hard_state);
    wal.sync()
}

/// The configuration at an index that a log reaches, if each change up to there was accepted.
pub fn configuration_at(log: &Recovered, index: u64) -> Result<ConfState, DriverError> {
    let conf_state = conf_state_at(&log.snapshot, &log.entries, index)?;
    Ok(convert::conf_state_from_raft(&conf_state))
}

/// What the change carries that makes the survivor of a lost cluster a voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejoin {
    /// Where it is a learner.
    pub promotion: Bytes,
    /// Where the log does not know it yet.
    pub addition: Bytes,
}

/// Why a member cannot go on alone.
#[derive(Debug, thiserror::Error)]
pub enum ForceNewError {
    /// A removed id can never return.
    #[error("this member was removed from its cluster: its log cannot begin a new one")]
    Removed,
    /// Two configurations are in force at once, and only a majority of both can end that.
    #[error("the log is in a joint configuration")]
    Joint,
    /// A change that nobody can carry out.
    #[error("membership change at index {index} does not decode: {source}")]
    Decode {
        /// Where.
        index: u64,
        /// What is wrong.
        source: prost::DecodeError,
    },
    /// The log.
    #[error(transparent)]
    Wal(#[from] WalError),
}

/// Makes the owner of a log the only member of its cluster: appends the changes that remove everybody else, and declares
/// the whole log committed. Nothing happens where there is nobody else. A crash leaves the log as it was, or with all of
/// it; doing it again changes nothing.
///
/// What the log holds behind its commit index stays, as a follower's log may end with writes that a lost leader has
/// acknowledged already; and the commit index on disk always lags behind.
///
/// `applied` is the last index that the state machine has, with its configuration, if it has one. Returns the ids of those
/// removed.
pub fn force_new_cluster(
    wal: &mut Wal,
    recovered: &mut Recovered,
    applied: u64,
    conf_state: Option<&ConfState>,
    rejoin: Rejoin,
) -> Result<Vec<u64>, ForceNewError> {
    let own = recovered.metadata.node_id;
    let (from, base) = match conf_state {
        Some(conf_state) if applied > 0 => (applied, conf_state),
        _ => (recovered.snapshot.index, &recovered.snapshot.conf_state),
    };
    if !base.voters_outgoing.is_empty() || !base.learners_next.is_empty() {
        return Err(ForceNewError::Joint);
    }
    let mut others: BTreeSet<u64> = base.voters.iter().chain(&base.learners).copied().collect();
    let mut changes = Vec::new();
    for entry in recovered.entries.iter().filter(|entry| entry.index() > from) {
        changes.extend(change_of(entry)?);
    }
    for change in &changes {
        match change.r#type() {
            ConfChangeType::ConfChangeRemoveNode if change.node_id() == own => return Err(ForceNewError::Removed),
            // It may be refused when it is applied; removing such a member once more does no harm.
            ConfChangeType::ConfChangeRemoveNode | ConfChangeType::ConfChangeUpdateNode => {}
            ConfChangeType::ConfChangeAddNode | ConfChangeType::ConfChangeAddLearnerNode => {
                others.insert(change.node_id());
            }
        }
    }
    let gone = |id: &u64| {
        let last = changes.iter().rfind(|change| change.node_id() == *id);
        last.is_some_and(|change| change.r#type() == ConfChangeType::ConfChangeRemoveNode)
    };
    others.retain(|id| *id != own && *id != 0 && !gone(id));

    let added = |change: &&ConfChange| change.node_id() == own && change.r#type() == ConfChangeType::ConfChangeAddNode;
    let is_voter = base.voters.contains(&own) || changes.iter().any(|change| added(&change));
    let mut wanted = Vec::new();
    // First, for Raft does not let go of its last voter.
    if !is_voter {
        let is_learner = base.learners.contains(&own) || changes.iter().any(|change| change.node_id() == own);
        let context = if is_learner { rejoin.promotion } else { rejoin.addition };
        wanted.push((own, ConfChangeType::ConfChangeAddNode, Some(context)));
    }
    wanted.extend(others.iter().map(|id| (*id, ConfChangeType::ConfChangeRemoveNode, None)));
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let last = recovered.entries.last().map_or(recovered.snapshot.index, Entry::index);
    let term = recovered.hard_state.term().max(1);
    let entries: Vec<Entry> = wanted
        .into_iter()
        .zip(last + 1..)
        .map(|((node_id, kind, context), index)| {
            let change = ConfChange { id: Some(0), r#type: Some(kind as i32), node_id: Some(node_id), context };
            conf_change_entry(&change, term, index)
        })
        .collect();
    let commit = last + entries.len() as u64;
    let state = HardState { term: Some(term), commit: Some(commit), ..recovered.hard_state };
    wal.append_committed(&entries, state)?;
    recovered.entries.extend(entries);
    recovered.hard_state = state;
    Ok(others.into_iter().collect())
}

fn change_of(entry: &Entry) -> Result<Option<ConfChange>, ForceNewError> {
    match entry.r#type() {
        EntryType::EntryNormal => Ok(None),
        EntryType::EntryConfChangeV2 => Err(ForceNewError::Joint),
        EntryType::EntryConfChange => match ConfChange::decode(entry.data.clone().unwrap_or_default()) {
            Ok(change) => Ok(Some(change)),
            Err(source) => Err(ForceNewError::Decode { index: entry.index(), source }),
        },
    }
}

fn add_member(member: InitialMember, index: u64) -> Entry {
    let change = ConfChange {
        id: Some(0),
        r#type: Some(ConfChangeType::ConfChangeAddNode as i32),
        node_id: Some(member.id),
        context: Some(member.context),
    };
    conf_change_entry(&change, 1, index)
}

fn conf_change_entry(change: &ConfChange, term: u64, index: u64) -> Entry {
    Entry {
        r#type: Some(EntryType::EntryConfChange as i32),
        term: Some(term),
        index: Some(index),
        data: Some(change.encode_to_vec().into()),
    }
}
