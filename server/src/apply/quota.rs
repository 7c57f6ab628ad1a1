//! The backend quota: whether a request still fits into the database file.
//!
//! What is compared is what of the file is taken. A compaction frees pages, which are written again before the file grows; so
//! after one there is room, and nothing has to be defragmented (etcd goes by the size of the file). How much is free is known when
//! the compaction is over on this member, and until then nobody is told that the space is exceeded.
//!
//! What the file takes before anything is in it is not counted as far as it exceeds what etcd's takes then. Each of redb's
//! commits leaves the pages of the one before in place, and it keeps lists of free pages in tables of their own: with one
//! row in each of five tables that is 26 pages of 4 KiB, against 5. (All rows in one table would be 22, without the lists
//! that spare a restart from reading the whole file 18, both 14; the size of a page cannot be set.) Quotas of 13 pages are
//! in use, if only in tests, and would otherwise refuse the first write.

use std::sync::Arc;

use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{LeaseGrantRequest, PutRequest, RequestOp, TxnRequest};
use keyport_storage::backend::Backend;
use keyport_storage::mvcc::{CompactionHandle, Store};

use super::command::Command;
use crate::state::State;

/// Bytes of an empty file that do not count.
const EMPTY_FILE: u64 = (26 - 5) * 4096;
/// Bytes that a key costs besides its own and its value's.
const KEY_OVERHEAD: u64 = 256;
/// Bytes that a lease costs.
const LEASE_COST: u64 = 64;

/// Compares what of the database file is taken, plus what a request would add, with the limit.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    backend: Arc<Backend>,
    store: Arc<Store>,
    /// Bytes; none when the operator disabled the quota.
    limit: Option<u64>,
}

impl Quota {
    pub(crate) fn new(state: &State, limit: Option<u64>) -> Quota {
        Quota { backend: Arc::clone(&state.backend), store: Arc::clone(&state.store), limit }
    }

    /// The compaction under way, which may make room.
    pub(crate) fn compaction(&self) -> Option<CompactionHandle> {
        self.store.last_compaction().filter(|compaction| !compaction.is_over())
    }

    /// Whether there is room for what a request would add.
    pub(crate) fn fits(&self, request: &impl Cost) -> bool {
        let Some(limit) = self.limit else { return true };
        match request.cost() {
            0 => true,
            cost => self.backend.coming_size_in_use().saturating_sub(EMPTY_FILE).saturating_add(cost) < limit,
        }
    }
}

/// What would be added to the database, in bytes, by etcd's reckoning.
pub(crate) trait Cost {
    fn cost(&self) -> u64;
}

impl Cost for Command {
    fn cost(&self) -> u64 {
        match self {
            Command::Put(put) => put.cost(),
            Command::Txn(txn) => txn.cost(),
            Command::LeaseGrant(grant) => grant.cost(),
            _ => 0,
        }
    }
}

impl Cost for PutRequest {
    fn cost(&self) -> u64 {
        KEY_OVERHEAD + self.key.len() as u64 + self.value.len() as u64
    }
}

impl Cost for LeaseGrantRequest {
    fn cost(&self) -> u64 {
        LEASE_COST
    }
}

impl Cost for TxnRequest {
    /// Of the dearer branch.
    fn cost(&self) -> u64 {
        let branch = |ops: &[RequestOp]| {
            ops.iter()
                .map(|op| match &op.request {
                    Some(Request::RequestPut(put)) => put.cost(),
                    Some(Request::RequestTxn(nested)) => nested.cost(),
                    Some(Request::RequestRange(_) | Request::RequestDeleteRange(_)) | None => 0,
                })
                .sum::<u64>()
        };
        branch(&self.success).max(branch(&self.failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_inside_of_another_costs_as_much_as_alone() {
        let put = |len: usize| {
            let request = PutRequest { value: vec![0; len].into(), ..PutRequest::default() };
            RequestOp { request: Some(Request::RequestPut(request)) }
        };
        let inner = TxnRequest { success: vec![put(1000)], failure: vec![put(10), put(3000)], ..TxnRequest::default() };
        let cost = inner.cost();
        assert_eq!(cost, 2 * KEY_OVERHEAD + 3010);
        let inner = RequestOp { request: Some(Request::RequestTxn(inner)) };
        let outer = TxnRequest { success: vec![inner, put(0)], ..TxnRequest::default() };
        assert_eq!(outer.cost(), cost + KEY_OVERHEAD);
    }
}
