//! Reading ahead: values that a change will want, and that may be on the disk alone, are read before it is proposed. So the one
//! thread that applies finds them in memory. Nothing depends on it: what is evicted again meanwhile is read there.

use keyport_api::etcdserverpb::compare::CompareTarget;
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest};

use super::Desk;
use super::reads::RANGE;
use crate::auth::Needs;
use crate::bulk::{Gone, Leash};
use crate::gate::Pass;
use crate::kv::{KvError, txn};

/// A change that may want values that are there.
pub(super) trait Wants {
    /// Says which, perhaps of more branches than it takes.
    fn wants(&self, each: &mut dyn FnMut(RangeRequest));
}

impl Wants for PutRequest {
    fn wants(&self, each: &mut dyn FnMut(RangeRequest)) {
        if self.prev_kv || self.ignore_value {
            each(RangeRequest { key: self.key.clone(), ..RangeRequest::default() });
        }
    }
}

impl Wants for DeleteRangeRequest {
    fn wants(&self, each: &mut dyn FnMut(RangeRequest)) {
        if self.prev_kv {
            let (key, range_end) = (self.key.clone(), self.range_end.clone());
            each(RangeRequest { key, range_end, ..RangeRequest::default() });
        }
    }
}

impl Wants for TxnRequest {
    fn wants(&self, each: &mut dyn FnMut(RangeRequest)) {
        for guard in self.compare.iter().filter(|guard| guard.target() == CompareTarget::Value) {
            let (key, range_end) = (guard.key.clone(), guard.range_end.clone());
            each(RangeRequest { key, range_end, ..RangeRequest::default() });
        }
        for op in txn::ops(self) {
            match &op.request {
                Some(Request::RequestRange(range)) if !range.keys_only && !range.count_only => each(range.clone()),
                Some(Request::RequestPut(put)) => put.wants(each),
                Some(Request::RequestDeleteRange(deletion)) => deletion.wants(each),
                Some(Request::RequestTxn(nested)) => nested.wants(each),
                Some(Request::RequestRange(_)) | None => {}
            }
        }
    }
}

impl Desk {
    /// Reads what a change will want, if its caller may make it. Whatever fails is told by the change.
    pub(super) async fn read_ahead(&self, pass: &Pass, request: &(impl Needs + Wants + Sync)) {
        if self.node.store().has_evicted() {
            // In a box: few changes want to know anything, and each has room for it otherwise.
            Box::pin(self.have_in_memory(pass, request)).await;
        }
    }

    async fn have_in_memory(&self, pass: &Pass, request: &(impl Needs + Wants + Sync)) {
        let absent = self.not_in_memory(request);
        if absent.is_empty() || self.gate.check(pass, request).is_err() {
            return;
        }
        let state = self.node.shared_state();
        let read = move |gone: &Gone| {
            for range in &absent {
                // One of its own comes back to memory once it was read twice; of several, what was read is in the database's cache.
                let times = if range.range_end.is_empty() { 2 } else { 1 };
                for _ in 0..times {
                    if RANGE(&state.store, &Leash::long(gone), range).is_err() {
                        break;
                    }
                }
            }
        };
        // Who waits for too much already is told so by the change.
        let _ = self.bulk.aside(pass.caller().lane()).run(read).await;
    }

    /// What cannot be had without waiting for the disk, or not in a moment.
    fn not_in_memory(&self, request: &impl Wants) -> Vec<RangeRequest> {
        let (store, leash) = (self.node.store(), Leash::short());
        let mut absent = Vec::new();
        request.wants(&mut |range| {
            if let Err(KvError::Interrupted) = RANGE(store, &leash, &range) {
                absent.push(range);
            }
        });
        absent
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use keyport_api::etcdserverpb::{Compare, RequestOp};

    use super::*;
    use crate::testing::Member;

    /// One with more values than room for them, of which the database takes 4 MiB; and the key of one that is not in memory.
    async fn member() -> (Member, Bytes) {
        let member = Member::start_with(&["--value-cache-bytes=6MiB"]).await;
        assert!(!member.calls.kv.desk.node.store().has_evicted());
        let keys: Vec<_> = (0..64).map(|number| Bytes::from(format!("key {number}"))).collect();
        for key in &keys {
            member.commit(&[(key, Some(&[b'x'; 64 * 1024]))]).await;
        }
        let absent = |key: &&Bytes| !member.calls.kv.desk.not_in_memory(&previous(key)).is_empty();
        let key = keys.iter().find(absent).unwrap().clone();
        (member, key)
    }

    fn previous(key: &Bytes) -> PutRequest {
        PutRequest { key: key.clone(), prev_kv: true, ..PutRequest::default() }
    }

    #[tokio::test]
    async fn what_is_wanted_comes_back_to_memory() {
        let (member, key) = member().await;
        let desk = &member.calls.kv.desk;
        assert!(desk.node.store().has_evicted());
        desk.read_ahead(&Pass::internal("a test"), &previous(&key)).await;
        assert_eq!(desk.not_in_memory(&previous(&key)), []);
    }

    #[tokio::test]
    async fn only_what_is_wanted_with_its_value_is_read() {
        let (member, key) = member().await;
        let desk = &member.calls.kv.desk;
        let key = || key.clone();
        let put = PutRequest { key: key(), ..PutRequest::default() };
        let delete = DeleteRangeRequest { key: key(), ..DeleteRangeRequest::default() };
        let guard = |target: CompareTarget| {
            let compare = vec![Compare { key: key(), target: target.into(), ..Compare::default() }];
            TxnRequest { compare, ..TxnRequest::default() }
        };
        let then =
            |request| TxnRequest { failure: vec![RequestOp { request: Some(request) }], ..guard(CompareTarget::Mod) };
        let range = RangeRequest { key: key(), ..RangeRequest::default() };
        let wanted = [range.clone()];
        assert!(desk.not_in_memory(&PutRequest { ignore_lease: true, ..put.clone() }).is_empty());
        assert!(desk.not_in_memory(&delete).is_empty());
        assert!(desk.not_in_memory(&guard(CompareTarget::Lease)).is_empty());
        let outline = RangeRequest { keys_only: true, ..range.clone() };
        assert!(desk.not_in_memory(&then(Request::RequestRange(outline))).is_empty());
        for txn in [
            guard(CompareTarget::Value),
            then(Request::RequestRange(range)),
            then(Request::RequestPut(PutRequest { ignore_value: true, ..put.clone() })),
            then(Request::RequestTxn(guard(CompareTarget::Value))),
        ] {
            assert_eq!(desk.not_in_memory(&txn), wanted, "{txn:?}");
        }
        assert_eq!(desk.not_in_memory(&previous(&key())), wanted);
        assert_eq!(desk.not_in_memory(&DeleteRangeRequest { prev_kv: true, ..delete }), wanted);
    }
}
