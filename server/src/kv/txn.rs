//! Transactions: choose the branches, check them against the state before, then run their operations in order.

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{RangeRequest, RequestOp, TxnRequest};

use super::compare;
use super::error::KvError;
use super::keys::{self, KvTxn};
use super::range::{self, View};
use super::reply::{OpReply, TxnReply};

/// The branches that a transaction takes, its nested ones included, in the order in which they are met.
///
/// All guards are evaluated on the state before the transaction: a nested one does not see its parent's puts.
struct Path(Vec<bool>);

impl Path {
    fn choose(view: &impl View, txn: &TxnRequest) -> Result<Path, KvError> {
        let mut path = Vec::new();
        Path::extend(view, txn, &mut path)?;
        Ok(Path(path))
    }

    fn extend(view: &impl View, txn: &TxnRequest, path: &mut Vec<bool>) -> Result<(), KvError> {
        let succeeded = compare::all_hold(view, &txn.compare)?;
        path.push(succeeded);
        for op in branch(txn, succeeded) {
            if let Some(Request::RequestTxn(nested)) = &op.request {
                Path::extend(view, nested, path)?;
            }
        }
        Ok(())
    }
}

fn branch(txn: &TxnRequest, succeeded: bool) -> &[RequestOp] {
    if succeeded { &txn.success } else { &txn.failure }
}

/// Applies a transaction that may write.
///
/// # Errors
/// Whatever the checks of the taken branches find; then nothing was changed.
pub(crate) fn write(txn: &mut KvTxn<'_>, request: TxnRequest) -> Result<TxnReply, KvError> {
    let path = Path::choose(txn, &request)?;
    txn.count_transaction();
    check(txn, &request, &mut path.0.iter().copied(), &mut Vec::new())?;
    let reply = run(txn, request, &mut path.0.iter().copied())?;
    Ok(TxnReply { revision: txn.revision(), ..reply })
}

/// Answers a transaction of ranges alone from a view that does not change meanwhile.
///
/// # Errors
/// As a range.
pub(crate) fn read(view: &impl View, revision: i64, request: &TxnRequest) -> Result<TxnReply, KvError> {
    let succeeded = compare::all_hold(view, &request.compare)?;
    let ops = branch(request, succeeded);
    let mut replies = Vec::with_capacity(ops.len());
    for op in ops {
        let Some(Request::RequestRange(request)) = &op.request else { return Err(Error::KeyNotFound.into()) };
        check_revision(view, request)?;
        replies.push(range::within_txn(view, request)?);
    }
    Ok(TxnReply { revision, succeeded, replies })
}

/// The ranges of the branch that was taken.
pub(crate) fn ranges(request: &TxnRequest, succeeded: bool) -> impl Iterator<Item = &RangeRequest> {
    branch(request, succeeded).iter().filter_map(|op| match &op.request {
        Some(Request::RequestRange(range)) => Some(range),
        _ => None,
    })
}

/// Whether a transaction needs no log entry: every operation of both branches is a range.
pub(crate) fn is_read_only(request: &TxnRequest) -> bool {
    ops(request).all(|op| matches!(op.request, Some(Request::RequestRange(_))))
}

/// Whether a read-only transaction may be answered locally; one without any operation may.
pub(crate) fn is_serializable(request: &TxnRequest) -> bool {
    ops(request).all(|op| matches!(&op.request, Some(Request::RequestRange(range)) if range.serializable))
}

/// Those of both branches.
pub(crate) fn ops(request: &TxnRequest) -> impl Iterator<Item = &RequestOp> {
    request.success.iter().chain(&request.failure)
}

/// `open_ended` gathers the starts of deletions without an end, which alone may meet a put of the same transaction: what
/// they have deleted, a later put cannot keep anything of.
fn check<'r>(
    txn: &KvTxn<'_>,
    request: &'r TxnRequest,
    path: &mut impl Iterator<Item = bool>,
    open_ended: &mut Vec<&'r Bytes>,
) -> Result<(), KvError> {
    let succeeded = path.next().unwrap_or(false);
    for op in branch(request, succeeded) {
        match &op.request {
            Some(Request::RequestRange(request)) => check_revision(txn, request)?,
            Some(Request::RequestPut(request)) => {
                txn.check_put(request)?;
                let keeps = request.ignore_value || request.ignore_lease;
                if keeps && open_ended.iter().any(|start| **start <= request.key) {
                    return Err(Error::KeyNotFound.into());
                }
            }
            Some(Request::RequestTxn(request)) => check(txn, request, path, open_ended)?,
            Some(Request::RequestDeleteRange(request)) if request.range_end == b"\0"[..] => {
                open_ended.push(&request.key)
            }
            Some(Request::RequestDeleteRange(_)) | None => {}
        }
    }
    Ok(())
}

/// Inside a transaction a negative revision is not "now" but a compacted one.
fn check_revision(view: &impl View, request: &RangeRequest) -> Result<(), KvError> {
    match request.revision {
        0 => Ok(()),
        revision if revision > view.start_revision() => Err(Error::FutureRev.into()),
        revision if revision < view.compacted() => Err(Error::Compacted.into()),
        _ => Ok(()),
    }
}

fn run(txn: &mut KvTxn<'_>, request: TxnRequest, path: &mut impl Iterator<Item = bool>) -> Result<TxnReply, KvError> {
    let succeeded = path.next().unwrap_or(false);
    let ops = if succeeded { request.success } else { request.failure };
    let mut replies = Vec::with_capacity(ops.len());
    for op in ops {
        replies.push(match op.request {
            Some(Request::RequestRange(request)) => range::within_txn(txn, &request)?,
            Some(Request::RequestPut(request)) => OpReply::Put(keys::put(txn, &request)?),
            Some(Request::RequestDeleteRange(request)) => OpReply::Delete(keys::delete_range(txn, request)?),
            Some(Request::RequestTxn(request)) => OpReply::Txn(run(txn, request, path)?),
            // Refused by validation before it was proposed.
            None => OpReply::Nothing,
        });
    }
    Ok(TxnReply { revision: 0, succeeded, replies })
}
