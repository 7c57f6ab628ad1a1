//! Keys: puts and deletes, with the leases that hold them.

use std::cell::Cell;

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{DeleteRangeRequest, PutRequest};
use keyport_storage::backend::Applied;
use keyport_storage::lease::Lessor;
use keyport_storage::mvcc::{MvccError, RangeOptions, RangeResult, WriteTxn};
use keyport_storage::watch::RevisionEvents;
use keyport_storage::{KeyRange, Outline, Record};

use super::error::KvError;
use super::range::View;
use super::reply::{DeleteReply, PutReply};
use crate::metrics::{IntCounter, Metrics};

/// A write transaction of the store together with the lessor that follows its keys.
pub(crate) struct KvTxn<'a> {
    store: WriteTxn<'a>,
    lessor: &'a Lessor,
    metrics: &'a Metrics,
    /// Keys that go from a lease to a lease with the commit; 0 stands for none.
    moved: Vec<(Bytes, i64, i64)>,
    /// Operations since the last [`KvTxn::count_transaction`].
    ops: Cell<usize>,
}

impl<'a> KvTxn<'a> {
    pub(crate) fn new(store: WriteTxn<'a>, lessor: &'a Lessor, metrics: &'a Metrics) -> KvTxn<'a> {
        KvTxn { store, lessor, metrics, moved: Vec::new(), ops: Cell::new(0) }
    }

    /// The revision that a read would see now: the one before, or the new one after the first change.
    pub(crate) fn revision(&self) -> i64 {
        self.store.revision()
    }

    /// Whether anything was changed so far.
    pub(crate) fn has_changes(&self) -> bool {
        self.store.has_changes()
    }

    pub(crate) fn commit(self, applied: Applied) -> RevisionEvents {
        self.count_transaction();
        let mut store = self.store;
        for id in self.lessor.left_by(&self.moved) {
            // There is no key of it to be removed.
            let _ = self.lessor.revoke(id, store.batch());
        }
        let changes = store.commit(Some(applied));
        for (key, from, to) in self.moved {
            self.lessor.reattach(&key, from, to);
        }
        changes
    }

    /// A key, whose bytes `key` makes, goes from a lease to another.
    fn reattach(&mut self, key: impl FnOnce() -> Bytes, from: i64, to: i64) {
        if from != to {
            self.moved.push((key(), from, to));
        }
    }

    fn count(&self, operations: &IntCounter) {
        operations.inc();
        self.ops.set(self.ops.get() + 1);
    }

    /// What was there before, or is kept, is read: a range, to etcd and to who counts here.
    fn count_look(&self) {
        self.count(&self.metrics.range_total);
    }

    fn previous_values(&self, range: &KeyRange) -> Result<Vec<Record>, MvccError> {
        self.count_look();
        Ok(self.store.range(range, RangeOptions::default())?.records)
    }

    /// The operations so far make a transaction, if there are several; as in etcd, guards are one of their own.
    pub(super) fn count_transaction(&self) {
        self.metrics.count_transaction(self.ops.take());
    }

    /// What must hold before a put may run: its lease exists, and the key where something of it is to be kept.
    pub(crate) fn check_put(&self, request: &PutRequest) -> Result<(), KvError> {
        if request.lease != 0 && !self.lessor.exists(request.lease) {
            return Err(Error::LeaseNotFound.into());
        }
        if (request.ignore_value || request.ignore_lease) && self.store.outline(&request.key).is_none() {
            return Err(Error::KeyNotFound.into());
        }
        Ok(())
    }
}

impl View for KvTxn<'_> {
    fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError> {
        self.count(&self.metrics.range_total);
        if let Some(prefixes) = self.metrics.prefixes() {
            prefixes.read(&range.start);
        }
        self.store.range(range, options)
    }

    fn start_revision(&self) -> i64 {
        self.store.start_revision()
    }

    fn compacted(&self) -> i64 {
        self.store.compacted()
    }
}

/// Puts one key.
///
/// # Errors
/// `LeaseNotFound`, then `KeyNotFound` when something of a missing key is to be kept.
pub(crate) fn put(txn: &mut KvTxn<'_>, request: &PutRequest) -> Result<PutReply, KvError> {
    txn.check_put(request)?;
    if request.ignore_value || request.ignore_lease || request.prev_kv {
        txn.count_look();
    }
    // Its value may be on the disk alone, so it is had where it is wanted, before anything is changed.
    let previous = if request.ignore_value || request.prev_kv { txn.store.get(&request.key)? } else { None };
    let kept = previous.as_ref().filter(|_| request.ignore_value);
    let value = kept.map_or(&request.value[..], Record::value);
    let kept = if request.ignore_lease { txn.store.outline(&request.key) } else { None };
    let lease = kept.map_or(request.lease, |kept| kept.lease());
    let (record, replaced) = txn.store.put(&request.key, value, lease);
    txn.count(&txn.metrics.put_total);
    txn.metrics.put_bytes.add(i64::try_from(request.key.len() + value.len()).unwrap_or(i64::MAX));
    txn.reattach(|| request.key.clone(), replaced.as_ref().map_or(0, Outline::lease), lease);
    Ok(PutReply { revision: txn.revision(), record: Some(record), previous: previous.filter(|_| request.prev_kv) })
}

/// Deletes what is in a range; nothing there is no error.
///
/// # Errors
/// A failure of the backend.
pub(crate) fn delete_range(txn: &mut KvTxn<'_>, request: DeleteRangeRequest) -> Result<DeleteReply, KvError> {
    let range = KeyRange::new(request.key, request.range_end);
    let previous = if request.prev_kv { txn.previous_values(&range)? } else { Vec::new() };
    let removed = txn.store.delete_range(&range)?;
    txn.count(&txn.metrics.delete_total);
    for outline in &removed {
        txn.reattach(|| Bytes::copy_from_slice(outline.key()), outline.lease(), 0);
    }
    Ok(DeleteReply { revision: txn.revision(), deleted: i64::try_from(removed.len()).unwrap_or(i64::MAX), previous })
}
