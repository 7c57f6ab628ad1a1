//! What each command does to the state.

mod users;

use std::time::Instant;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::*;
use keyport_api::membershippb::{ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest};
use keyport_storage::backend::{Applied, Batch};
use keyport_storage::watch::RevisionEvents;

use super::error::OpError;
use super::fault::Fault;
use super::waiters::{Answer, Outcome};
use super::{Command, Reply};
use crate::kv::keys::{self, KvTxn};
use crate::kv::txn;
use crate::membership::Downgrade;
use crate::state::State;
use crate::steps;

/// Executes one command as one write transaction that carries `applied`; watchers' events are added to `published`.
/// The answer may be a refusal: the entry counts as applied all the same and has changed nothing.
///
/// # Errors
/// When this member cannot tell what the command does. Then nothing of it was committed.
pub(crate) fn execute(
    state: &State,
    command: Command,
    applied: Applied,
    published: &mut Vec<RevisionEvents>,
) -> Result<Outcome, Fault> {
    match command {
        Command::Put(request) => keys(state, applied, published, |txn| Ok(Reply::Put(keys::put(txn, &request)?))),
        Command::DeleteRange(request) => {
            keys(state, applied, published, |txn| Ok(Reply::DeleteRange(keys::delete_range(txn, request)?)))
        }
        Command::Txn(request) => keys(state, applied, published, |txn| Ok(Reply::Txn(txn::write(txn, request)?))),
        Command::LeaseRevoke(request) => revoke(state, applied, published, request.id),
        Command::Compaction(request) => {
            rows(state, applied, |_| Ok(Reply::Compaction(state.store.compact(request.revision)?)))
        }
        Command::LeaseGrant(request) => rows(state, applied, |batch| lease_grant(state, batch, &request)),
        Command::LeaseCheckpoint(request) => rows(state, applied, |batch| lease_checkpoint(state, batch, request)),
        Command::Alarm(request) => rows(state, applied, |batch| alarm(state, batch, &request)),
        Command::ClusterVersionSet(request) => rows(state, applied, |batch| version_set(state, batch, request)),
        Command::ClusterMemberAttrSet(request) => rows(state, applied, |batch| member_attr_set(state, batch, request)),
        Command::DowngradeInfoSet(request) => rows(state, applied, |batch| downgrade_set(state, batch, request)),
        Command::Nothing(_) => rows(state, applied, |_| Ok(Reply::Nothing)),
        Command::AuthEnable(_) => rows(state, applied, |batch| users::enable(state, batch)),
        Command::AuthDisable(_) => rows(state, applied, |batch| users::disable(state, batch)),
        Command::AuthStatus(_) => rows(state, applied, |_| Ok(users::status(state))),
        Command::Authenticate(request) => rows(state, applied, |_| users::authenticate(state, &request, applied)),
        Command::AuthUserAdd(request) => rows(state, applied, |batch| users::user_add(state, batch, &request)),
        Command::AuthUserGet(request) => rows(state, applied, |_| users::user_get(state, &request)),
        Command::AuthUserList(_) => rows(state, applied, |_| Ok(users::user_list(state))),
        Command::AuthUserDelete(request) => rows(state, applied, |batch| users::user_delete(state, batch, &request)),
        Command::AuthUserChangePassword(request) => {
            rows(state, applied, |batch| users::user_change_password(state, batch, &request))
        }
        Command::AuthUserGrantRole(request) => {
            rows(state, applied, |batch| users::user_grant_role(state, batch, &request))
        }
        Command::AuthUserRevokeRole(request) => {
            rows(state, applied, |batch| users::user_revoke_role(state, batch, &request))
        }
        Command::AuthRoleAdd(request) => rows(state, applied, |batch| users::role_add(state, batch, &request)),
        Command::AuthRoleGet(request) => rows(state, applied, |_| users::role_get(state, &request)),
        Command::AuthRoleList(_) => rows(state, applied, |_| Ok(users::role_list(state))),
        Command::AuthRoleDelete(request) => rows(state, applied, |batch| users::role_delete(state, batch, &request)),
        Command::AuthRoleGrantPermission(request) => {
            rows(state, applied, |batch| users::role_grant_permission(state, batch, request))
        }
        Command::AuthRoleRevokePermission(request) => {
            rows(state, applied, |batch| users::role_revoke_permission(state, batch, &request))
        }
    }
}

/// Tells an answer from a fault. A refusal is an answer as long as nothing has `changed`.
pub(super) fn settle(outcome: Result<Answer, OpError>, changed: bool) -> Result<Outcome, Fault> {
    match outcome {
        Ok(answer) => Ok(Ok(answer)),
        Err(OpError::Refused(error)) if changed => Err(Fault::HalfDone(error)),
        Err(OpError::Refused(error)) => Ok(Err(error)),
        Err(OpError::Failed(fault)) => Err(fault),
    }
}

/// Runs `change` in a write transaction of the store, which is committed unless it fails.
fn keys(
    state: &State,
    applied: Applied,
    published: &mut Vec<RevisionEvents>,
    change: impl FnOnce(&mut KvTxn<'_>) -> Result<Reply, OpError>,
) -> Result<Outcome, Fault> {
    let mut txn = KvTxn::new(state.store.write(), &state.lessor, &state.metrics);
    let outcome = change(&mut txn).map(|reply| Answer { revision: txn.revision(), reply });
    let outcome = settle(outcome, txn.has_changes())?;
    let start = Instant::now();
    let changes = txn.commit(applied);
    steps::note("commit", start, Instant::now());
    publish(state, changes, published);
    Ok(outcome)
}

fn publish(state: &State, changes: RevisionEvents, published: &mut Vec<RevisionEvents>) {
    if let Some(prefixes) = state.metrics.prefixes() {
        prefixes.changed(&changes.events);
    }
    if !changes.events.is_empty() {
        published.push(changes);
    }
}

/// Runs `change` on rows outside the key space.
fn rows(
    state: &State,
    applied: Applied,
    change: impl FnOnce(&mut Batch) -> Result<Reply, OpError>,
) -> Result<Outcome, Fault> {
    let mut batch = Batch::new();
    let outcome = change(&mut batch).map(|reply| Answer { revision: state.store.revision(), reply });
    let outcome = settle(outcome, !batch.is_empty())?;
    state.backend.commit(batch, Some(applied));
    Ok(outcome)
}

/// Removes a lease and, in one revision, its keys in order.
fn revoke(state: &State, applied: Applied, published: &mut Vec<RevisionEvents>, id: i64) -> Result<Outcome, Fault> {
    let mut txn = state.store.write();
    let outcome = state.lessor.revoke(id, txn.batch()).map(|keys| {
        for key in &keys {
            txn.delete(key);
        }
        state.metrics.delete_total.inc_by(keys.len() as u64);
        state.metrics.count_transaction(keys.len());
        Answer { revision: txn.revision(), reply: Reply::LeaseRevoke(LeaseRevokeResponse::default()) }
    });
    let outcome = settle(outcome.map_err(OpError::from), txn.has_changes())?;
    publish(state, txn.commit(Some(applied)), published);
    Ok(outcome)
}

fn lease_grant(state: &State, batch: &mut Batch, request: &LeaseGrantRequest) -> Result<Reply, OpError> {
    let &LeaseGrantRequest { ttl, id } = request;
    let ttl = state.lessor.grant(id, ttl, Instant::now(), batch)?;
    state.metrics.lease_ttl.observe(ttl as f64);
    Ok(Reply::LeaseGrant(LeaseGrantResponse { id, ttl, ..LeaseGrantResponse::default() }))
}

fn lease_checkpoint(state: &State, batch: &mut Batch, request: LeaseCheckpointRequest) -> Result<Reply, OpError> {
    for checkpoint in request.checkpoints {
        state.lessor.checkpoint(checkpoint.id, checkpoint.remaining_ttl, batch);
    }
    Ok(Reply::LeaseCheckpoint(()))
}

fn alarm(state: &State, batch: &mut Batch, request: &AlarmRequest) -> Result<Reply, OpError> {
    let alarms = match AlarmAction::try_from(request.action) {
        Ok(AlarmAction::Get) => state.alarms.list(request.alarm),
        Ok(AlarmAction::Activate) => {
            state.alarms.activate(request.member_id, request.alarm, batch).into_iter().collect()
        }
        Ok(AlarmAction::Deactivate) => {
            state.alarms.deactivate(request.member_id, request.alarm, batch).into_iter().collect()
        }
        // As a client may ask for: an answer like others.
        Err(_) => return Err(Error::UnknownMethod.into()),
    };
    Ok(Reply::Alarm(AlarmResponse { header: None, alarms }))
}

fn version_set(state: &State, batch: &mut Batch, request: ClusterVersionSetRequest) -> Result<Reply, OpError> {
    state.membership.set_version(request.ver, batch);
    Ok(Reply::ClusterVersionSet(()))
}

fn member_attr_set(state: &State, batch: &mut Batch, request: ClusterMemberAttrSetRequest) -> Result<Reply, OpError> {
    let attributes = request.member_attributes.unwrap_or_default();
    state.membership.publish(request.member_id, attributes.name, attributes.client_urls, batch)?;
    Ok(Reply::ClusterMemberAttrSet(()))
}

fn downgrade_set(state: &State, batch: &mut Batch, request: DowngradeInfoSetRequest) -> Result<Reply, OpError> {
    let downgrade = match request.enabled {
        true => Downgrade { target_version: request.ver, enabled: true },
        false => Downgrade::default(),
    };
    state.membership.set_downgrade(downgrade, batch)?;
    Ok(Reply::DowngradeInfoSet(()))
}
