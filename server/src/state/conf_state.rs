//! The Raft configuration, stored with the applied index in etcd's JSON.

use keyport_api::raftpb::ConfState;
use keyport_storage::backend::{Batch, Bucket, Rows};
use serde::{Deserialize, Serialize};

use crate::membership::MembershipError;

/// The row's key in bucket `meta`.
pub(crate) const KEY: &[u8] = b"confState";

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Row {
    voters: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    learners: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    voters_outgoing: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    learners_next: Vec<u64>,
    auto_leave: bool,
}

/// Stores the configuration that is in force after an entry.
///
/// # Errors
/// When it has no JSON form, which numbers and booleans always have.
pub(crate) fn put(conf_state: &ConfState, batch: &mut Batch) -> Result<(), serde_json::Error> {
    batch.put(Bucket::Meta, KEY, row(conf_state)?);
    Ok(())
}

/// The row of a configuration.
///
/// # Errors
/// As with [`put`].
pub(crate) fn row(conf_state: &ConfState) -> Result<Vec<u8>, serde_json::Error> {
    let row = Row {
        voters: conf_state.voters.clone(),
        learners: conf_state.learners.clone(),
        voters_outgoing: conf_state.voters_outgoing.clone(),
        learners_next: conf_state.learners_next.clone(),
        auto_leave: conf_state.auto_leave(),
    };
    serde_json::to_vec(&row)
}

/// What was stored last; none in a new database.
///
/// # Errors
/// When the row cannot be read.
pub(crate) fn load(rows: &impl Rows) -> Result<Option<ConfState>, MembershipError> {
    let row = rows.row(Bucket::Meta, KEY)?;
    row.as_deref().map(parse).transpose().map_err(bad_row)
}

fn bad_row(source: serde_json::Error) -> MembershipError {
    MembershipError::Row { bucket: Bucket::Meta.name(), key: String::from_utf8_lossy(KEY).into_owned(), source }
}

/// Whether two configurations have the same members in the same parts.
pub(crate) fn is_same(one: &ConfState, other: &ConfState) -> bool {
    let sorted = |conf_state: &ConfState| {
        let ConfState { voters, learners, voters_outgoing, learners_next, auto_leave } = conf_state.clone();
        let mut sets = [voters, learners, voters_outgoing, learners_next];
        sets.iter_mut().for_each(|ids| ids.sort_unstable());
        (sets, auto_leave.unwrap_or_default())
    };
    sorted(one) == sorted(other)
}

/// Reads the row.
///
/// # Errors
/// When it is not one.
pub(crate) fn parse(row: &[u8]) -> Result<ConfState, serde_json::Error> {
    let row: Row = serde_json::from_slice(row)?;
    Ok(ConfState {
        voters: row.voters,
        learners: row.learners,
        voters_outgoing: row.voters_outgoing,
        learners_next: row.learners_next,
        auto_leave: Some(row.auto_leave),
    })
}
