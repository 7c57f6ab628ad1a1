//! The backend quota: whether a request still fits into the database file.

use std::sync::Arc;

use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{PutRequest, RequestOp, TxnRequest};
use keyport_storage::backend::Backend;

use super::command::Command;

/// Bytes that a key costs besides its own and its value's.
const KEY_OVERHEAD: u64 = 256;
/// Bytes that a lease costs.
const LEASE_COST: u64 = 64;

/// Compares the size of the database file, plus what a request would add, with the limit.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    backend: Arc<Backend>,
    /// Bytes; none when the operator disabled the quota.
    limit: Option<u64>,
}

impl Quota {
    pub(crate) fn new(backend: Arc<Backend>, limit: Option<u64>) -> Quota {
        Quota { backend, limit }
    }

    pub(crate) fn fits(&self, command: &Command) -> bool {
        let Some(limit) = self.limit else { return true };
        match cost(command) {
            0 => true,
            cost => self.backend.size().saturating_add(cost) < limit,
        }
    }
}

fn cost(command: &Command) -> u64 {
    match command {
        Command::Put(put) => put_cost(put),
        Command::Txn(txn) => txn_cost(txn),
        Command::LeaseGrant(_) => LEASE_COST,
        _ => 0,
    }
}

fn put_cost(put: &PutRequest) -> u64 {
    KEY_OVERHEAD + put.key.len() as u64 + put.value.len() as u64
}

/// The dearer branch.
fn txn_cost(txn: &TxnRequest) -> u64 {
    let branch = |ops: &[RequestOp]| {
        ops.iter()
            .map(|op| match &op.request {
                Some(Request::RequestPut(put)) => put_cost(put),
                Some(Request::RequestTxn(nested)) => txn_cost(nested),
                Some(Request::RequestRange(_) | Request::RequestDeleteRange(_)) | None => 0,
            })
            .sum::<u64>()
    };
    branch(&txn.success).max(branch(&txn.failure))
}
