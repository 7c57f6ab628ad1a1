//! What each command does to the state.

use std::time::Instant;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::*;
use keyport_storage::backend::{Applied, Batch};
use keyport_storage::mvcc::Changes;
use keyport_storage::watch::RevisionEvents;

use super::error::OpError;
use super::fault::Fault;
use super::waiters::{Answer, Outcome};
use super::{Command, Reply};
use crate::kv::keys::{self, KvTxn};
use crate::kv::txn;
use crate::membership::Downgrade;
use crate::state::State;

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
        Command::LeaseGrant(LeaseGrantRequest { ttl, id }) => rows(state, applied, |batch| {
            let ttl = state.lessor.grant(id, ttl, Instant::now(), batch)?;
            state.metrics.lease_ttl.observe(ttl as f64);
            Ok(Reply::LeaseGrant(LeaseGrantResponse { id, ttl, ..LeaseGrantResponse::default() }))
        }),
        Command::LeaseCheckpoint(request) => rows(state, applied, |batch| {
            for checkpoint in request.checkpoints {
                state.lessor.checkpoint(checkpoint.id, checkpoint.remaining_ttl, batch);
            }
            Ok(Reply::LeaseCheckpoint(()))
        }),
        Command::Alarm(request) => rows(state, applied, |batch| {
            let alarms = alarm(state, &request, batch)?;
            Ok(Reply::Alarm(AlarmResponse { header: None, alarms }))
        }),
        Command::ClusterVersionSet(request) => rows(state, applied, |batch| {
            state.membership.set_version(request.ver, batch);
            Ok(Reply::ClusterVersionSet(()))
        }),
        Command::ClusterMemberAttrSet(request) => rows(state, applied, |batch| {
            let attributes = request.member_attributes.unwrap_or_default();
            state.membership.publish(request.member_id, attributes.name, attributes.client_urls, batch)?;
            Ok(Reply::ClusterMemberAttrSet(()))
        }),
        Command::DowngradeInfoSet(request) => rows(state, applied, |batch| {
            let downgrade = match request.enabled {
                true => Downgrade { target_version: request.ver, enabled: true },
                false => Downgrade::default(),
            };
            state.membership.set_downgrade(downgrade, batch)?;
            Ok(Reply::DowngradeInfoSet(()))
        }),
        Command::Nothing(_) => rows(state, applied, |_| Ok(Reply::Nothing)),
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
    publish(txn.commit(applied), published);
    Ok(outcome)
}

fn publish(changes: Changes, published: &mut Vec<RevisionEvents>) {
    if !changes.events.is_empty() {
        published.push(RevisionEvents { revision: changes.revision, events: changes.events });
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
        for key in keys {
            txn.delete(&key);
        }
        Answer { revision: txn.revision(), reply: Reply::LeaseRevoke(LeaseRevokeResponse::default()) }
    });
    let outcome = settle(outcome.map_err(OpError::from), txn.has_changes())?;
    publish(txn.commit(Some(applied)), published);
    Ok(outcome)
}

fn alarm(state: &State, request: &AlarmRequest, batch: &mut Batch) -> Result<Vec<AlarmMember>, OpError> {
    match AlarmAction::try_from(request.action) {
        Ok(AlarmAction::Get) => Ok(state.alarms.list(request.alarm)),
        Ok(AlarmAction::Activate) => {
            Ok(state.alarms.activate(request.member_id, request.alarm, batch).into_iter().collect())
        }
        Ok(AlarmAction::Deactivate) => {
            Ok(state.alarms.deactivate(request.member_id, request.alarm, batch).into_iter().collect())
        }
        // As a client may ask for: an answer like others.
        Err(_) => Err(Error::UnknownMethod.into()),
    }
}
