//! Whether this program can go on where etcd's log ends: looked at before anything is converted.

use keyport_api::raftpb::{ConfState, EntryType};
use keyport_raft::configuration_at;
use keyport_raft::wal::Recovered;

use super::database::Database;
use super::refusal::Refusal;
use crate::apply::{Command, LegacyError, NotUnderstood, Proposal};
use crate::membership::Release;
use crate::state::conf_state;
use crate::version::ETCD_CLUSTER;

/// Database and log are of one history, in versions that are known, and each entry that is still to be applied is
/// understood. Returns Raft's configuration at the database's last entry.
///
/// # Errors
/// When that is not so.
pub(super) fn check(database: &Database, log: &Recovered) -> Result<ConfState, Refusal> {
    let applied = database.applied;
    if applied.index > 0 && applied.term == 0 {
        return Err(Refusal::Older);
    }
    for (what, found) in
        [("storage version", &database.storage_version), ("cluster version", &database.cluster_version)]
    {
        known(what, found.as_deref().unwrap_or_default())?;
    }
    let in_log = log.term_at(applied.index);
    if in_log != Some(applied.term) {
        return Err(Refusal::OtherLog { applied, in_log });
    }
    for entry in &log.entries {
        if entry.r#type() == EntryType::EntryNormal {
            let data = entry.data.clone().unwrap_or_default();
            check_request(&data, entry.index(), entry.index() > applied.index)?;
        }
    }
    let last = log.entries.last().map_or(log.snapshot.index, |entry| entry.index());
    // That there is one is what counts: changes that are to be applied have to be readable.
    configuration_at(log, last)?;
    configuration(database, log)
}

fn known(what: &'static str, version: &str) -> Result<(), Refusal> {
    // What is no version was never decided on.
    let newer = version.parse::<Release>().ok().zip(ETCD_CLUSTER.parse().ok());
    match newer.filter(|(found, known)| found.cluster() > *known) {
        Some((found, _)) => Err(Refusal::Newer { what, found: found.to_string() }),
        None => Ok(()),
    }
}

fn check_request(data: &bytes::Bytes, index: u64, is_to_come: bool) -> Result<(), Refusal> {
    if data.is_empty() {
        return Ok(());
    }
    match Proposal::decode(data) {
        Ok(Proposal { command: Command::ClusterVersionSet(request), .. }) if is_to_come => {
            known("cluster version", &request.ver)
        }
        // Whatever the database has: who has put a key there once may have more.
        Err(NotUnderstood::Legacy(error @ LegacyError::Data { .. })) => {
            Err(Refusal::OldKeys(format!("entry {index} of the log, {error}")))
        }
        Err(source) if is_to_come => Err(Refusal::Entry { index, source }),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The configuration is what the members are. That it is so is what the log says, or the database's own row; etcd keeps
/// neither in all cases: the log may have a change that was refused when it was applied, and the row may be of another cluster.
fn configuration(database: &Database, log: &Recovered) -> Result<ConfState, Refusal> {
    let (learners, voters): (Vec<_>, Vec<_>) = database.roster.members().partition(|member| member.is_learner);
    let ids = |members: Vec<&crate::membership::Member>| members.into_iter().map(|member| member.id).collect();
    let members = ConfState { voters: ids(voters), learners: ids(learners), ..ConfState::default() };
    let by_log = configuration_at(log, database.applied.index)?;
    let agree = |other: &ConfState| conf_state::is_same(&members, other);
    if agree(&by_log) || database.conf_state.as_ref().is_some_and(agree) {
        return Ok(members);
    }
    Err(Refusal::OtherMembers { rows: text(&members), log: text(&by_log) })
}

fn text(configuration: &ConfState) -> String {
    let ids = configuration.voters.iter().chain(&configuration.learners).map(|id| format!("{id:x}"));
    let ids: Vec<String> = ids.collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(",") }
}
