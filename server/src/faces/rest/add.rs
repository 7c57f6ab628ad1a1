//! `POST /v3/keys/{prefix}`: a key behind a prefix whose name says when it came.

use bytes::Bytes;
use http::{HeaderMap, Response};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{Compare, PutRequest, RequestOp, TxnRequest};
use keyport_storage::{KeyRange, RangeEnd};

use super::ask::{Ask, Hold};
use super::failure::Failure;
use super::put::{Return, told};
use crate::calls::{Caller, Calls, KeyLease, OpReply, PutReply};
use crate::faces::text::GatewayBody;

/// How often somebody else may have been quicker.
const MOST_TRIES: usize = 256;

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    headers: &HeaderMap,
    ask: Ask,
    value: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    let lease = match ask.hold {
        Hold::Ttl(seconds) => Some(calls.lease.for_key(caller, &[], seconds).await?),
        Hold::Nothing | Hold::Lease(_) => None,
    };
    let id = match (ask.hold, lease) {
        (_, Some(KeyLease { id, .. })) | (Hold::Lease(id), None) => id,
        _ => 0,
    };
    match add(calls, caller, &ask.key, &value, id).await {
        Ok(reply) => Ok(told(headers, &reply, lease, Return::Rest)),
        Err(failure) => {
            calls.lease.let_go(caller, lease.map_or(0, |lease| lease.id)).await;
            Err(failure)
        }
    }
}

/// The number is the store's next revision, if nothing behind the prefix has been written at it: so they come one after the
/// other, and who reads them in their order reads all that came before.
async fn add(calls: &Calls, caller: &Caller, prefix: &Bytes, value: &Bytes, lease: i64) -> Result<PutReply, Failure> {
    let mut revision = calls.watch.revision();
    for _ in 0..MOST_TRIES {
        let number = revision + 1;
        let key = [prefix, format!("{number:020}").as_bytes()].concat().into();
        let put = PutRequest { key, value: value.clone(), lease, ..PutRequest::default() };
        let success = vec![RequestOp { request: Some(Request::RequestPut(put)) }];
        let request = TxnRequest { compare: vec![unchanged(prefix, number)], success, failure: Vec::new() };
        let answer = calls.kv.txn(caller, request).await?;
        match answer.reply.replies.into_iter().next() {
            Some(OpReply::Put(reply)) => return Ok(reply),
            Some(_) => return Err(Error::ReplyMismatch.into()),
            None => revision = answer.header.revision.max(number),
        }
    }
    Err(Failure::Contended)
}

/// Nothing with the prefix was written at this revision or after it.
fn unchanged(prefix: &Bytes, revision: i64) -> Compare {
    let KeyRange { start, end } = KeyRange::prefix(prefix);
    Compare {
        result: CompareResult::Less.into(),
        target: CompareTarget::Mod.into(),
        key: start,
        range_end: match end {
            RangeEnd::Before(end) => end,
            RangeEnd::Single | RangeEnd::Unbounded => Bytes::from_static(&[0]),
        },
        target_union: Some(TargetUnion::ModRevision(revision)),
    }
}
