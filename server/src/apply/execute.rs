//! What each command does to the state.

use std::time::Instant;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::*;
use keyport_storage::KeyRange;
use keyport_storage::backend::{Applied, Batch};
use keyport_storage::mvcc::{CompactionHandle, WriteTxn};
use keyport_storage::watch::RevisionEvents;

use super::kv::{self, KvTxn};
use super::{Command, error, txn};
use crate::membership::{self, Downgrade};
use crate::state::State;

/// The answer to a command, its header still to be completed by the service.
#[derive(Debug)]
pub(crate) enum Reply {
    Put(PutResponse),
    DeleteRange(DeleteRangeResponse),
    Txn(TxnResponse),
    Compaction {
        revision: i64,
        removal: CompactionHandle,
    },
    LeaseGrant {
        id: i64,
        ttl: i64,
    },
    Alarm(Vec<AlarmMember>),
    /// After a change of the membership; ascending by id.
    Members(Vec<membership::Member>),
    Done,
}

/// Executes one command as one write transaction that carries `applied`; watchers' events are added to `published`.
///
/// # Errors
/// What the command's caller is told. The entry counts as applied all the same and nothing of it is half done.
pub(crate) fn execute(
    state: &State,
    command: Command,
    applied: Applied,
    published: &mut Vec<RevisionEvents>,
) -> Result<Reply, Error> {
    match command {
        Command::Put(request) => keys(state, applied, published, |txn| kv::put(txn, &request).map(Reply::Put)),
        Command::DeleteRange(request) => {
            keys(state, applied, published, |txn| Ok(Reply::DeleteRange(kv::delete_range(txn, request))))
        }
        Command::Txn(request) => keys(state, applied, published, |txn| txn::write(txn, request).map(Reply::Txn)),
        Command::LeaseRevoke(request) => revoke(state, applied, published, request.id),
        Command::Compaction(request) => {
            let outcome = state.store.compact(request.revision);
            rows(state, applied, |_| Ok(()))?;
            let removal = outcome.map_err(error::mvcc)?;
            Ok(Reply::Compaction { revision: state.store.revision(), removal })
        }
        Command::LeaseGrant(request) => rows(state, applied, |batch| {
            let ttl = state.lessor.grant(request.id, request.ttl, Instant::now(), batch).map_err(error::lease)?;
            state.metrics.lease_ttl.observe(ttl as f64);
            Ok(Reply::LeaseGrant { id: request.id, ttl })
        }),
        Command::LeaseCheckpoint(request) => rows(state, applied, |batch| {
            for checkpoint in request.checkpoints {
                state.lessor.checkpoint(checkpoint.id, checkpoint.remaining_ttl, batch);
            }
            Ok(Reply::Done)
        }),
        Command::Alarm(request) => rows(state, applied, |batch| alarm(state, &request, batch).map(Reply::Alarm)),
        Command::ClusterVersionSet(request) => rows(state, applied, |batch| {
            state.membership.set_version(request.ver, batch);
            Ok(Reply::Done)
        }),
        Command::MemberAttrSet(request) => rows(state, applied, |batch| {
            let attributes = request.member_attributes.unwrap_or_default();
            state.membership.publish(request.member_id, attributes.name, attributes.client_urls, batch);
            Ok(Reply::Done)
        }),
        Command::DowngradeInfoSet(request) => rows(state, applied, |batch| {
            let downgrade = match request.enabled {
                true => Downgrade { target_version: request.ver, enabled: true },
                false => Downgrade::default(),
            };
            state.membership.set_downgrade(downgrade, batch);
            Ok(Reply::Done)
        }),
        Command::Unknown => rows(state, applied, |_| Ok(Reply::Done)),
    }
}

/// Runs `change` in a write transaction of the store. Where it fails it has changed nothing.
fn keys(
    state: &State,
    applied: Applied,
    published: &mut Vec<RevisionEvents>,
    change: impl FnOnce(&mut KvTxn<'_>) -> Result<Reply, Error>,
) -> Result<Reply, Error> {
    let mut txn = KvTxn::new(state.store.write(), &state.lessor, &state.metrics);
    let reply = change(&mut txn);
    publish(txn.into_store_txn(), applied, published);
    reply
}

fn publish(txn: WriteTxn<'_>, applied: Applied, published: &mut Vec<RevisionEvents>) {
    let changes = txn.commit(Some(applied));
    if !changes.events.is_empty() {
        published.push(RevisionEvents { revision: changes.revision, events: changes.events });
    }
}

/// Runs `change` on rows outside the key space.
fn rows<T>(state: &State, applied: Applied, change: impl FnOnce(&mut Batch) -> Result<T, Error>) -> Result<T, Error> {
    let mut batch = Batch::new();
    let outcome = change(&mut batch);
    state.backend.commit(batch, Some(applied));
    outcome
}

/// Removes a lease and, in one revision, its keys in order.
fn revoke(state: &State, applied: Applied, published: &mut Vec<RevisionEvents>, id: i64) -> Result<Reply, Error> {
    let mut txn = state.store.write();
    let reply = match state.lessor.revoke(id, txn.batch()) {
        Ok(keys) => {
            for key in keys {
                txn.delete_range(&KeyRange::single(key));
            }
            Ok(Reply::Done)
        }
        Err(refused) => Err(error::lease(refused)),
    };
    publish(txn, applied, published);
    reply
}

fn alarm(state: &State, request: &AlarmRequest, batch: &mut Batch) -> Result<Vec<AlarmMember>, Error> {
    match AlarmAction::try_from(request.action) {
        Ok(AlarmAction::Get) => Ok(state.alarms.list(request.alarm)),
        Ok(AlarmAction::Activate) => {
            Ok(state.alarms.activate(request.member_id, request.alarm, batch).into_iter().collect())
        }
        Ok(AlarmAction::Deactivate) => {
            Ok(state.alarms.deactivate(request.member_id, request.alarm, batch).into_iter().collect())
        }
        Err(_) => Err(Error::UnknownMethod),
    }
}
