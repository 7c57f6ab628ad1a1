//! How a member's log comes into being.

use std::sync::Arc;

use bytes::Bytes;
use keyport_api::raftpb::{ConfChange, ConfChangeType, Entry, EntryType, HardState};
use prost::Message as _;

use crate::wal::{Disk, Metadata, Recovered, SnapshotMark, Wal, WalError, WalOptions};

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

fn add_member(member: InitialMember, index: u64) -> Entry {
    let change = ConfChange {
        id: Some(0),
        r#type: Some(ConfChangeType::ConfChangeAddNode as i32),
        node_id: Some(member.id),
        context: Some(member.context),
    };
    Entry {
        r#type: Some(EntryType::EntryConfChange as i32),
        term: Some(1),
        index: Some(index),
        data: Some(change.encode_to_vec().into()),
    }
}
