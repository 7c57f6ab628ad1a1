//! `POST /v3/keys/{prefix}`: a key behind a prefix whose name says when it came.
//!
//! The number is the store's next revision. Each addition touches a key beside the prefix, on the condition that nobody has
//! touched it at that revision or later: so numbers only rise, also when those before are removed, and who reads keys in their
//! order reads all that came before. The recipes of etcd's own client have the same key for the same.

use bytes::Bytes;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, Response};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{Compare, PutRequest, RangeRequest, RequestOp, TxnRequest};

use super::ask::{Ask, Hold};
use super::condition::as_seen;
use super::put::{Return, told};
use crate::calls::{Caller, Calls, KeyLease, OpReply, PutReply};
use crate::faces::rest::failure::Failure;
use crate::faces::text::GatewayBody;

/// How often others, at other members, may have been quicker.
const MOST_TRIES: usize = 256;

/// What the key beside a prefix begins with.
const BESIDE: &[u8] = b"__";

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    headers: &HeaderMap,
    ask: Ask,
    value: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    if [IF_MATCH, IF_NONE_MATCH].iter().any(|name| headers.contains_key(name)) {
        return Err(Failure::Malformed(
            "a key that gets its name is a new one: leave out If-Match and If-None-Match".into(),
        ));
    }
    let lease = match ask.hold {
        Hold::Ttl(seconds) => Some(calls.lease.new_for_key(caller, &ask.key, seconds).await?),
        Hold::Nothing | Hold::Lease(_) => None,
    };
    let id = match (ask.hold, lease) {
        (_, Some(KeyLease { id, .. })) | (Hold::Lease(id), None) => id,
        _ => 0,
    };
    match add(calls, caller, &ask.key, &value, id).await {
        Ok(reply) => Ok(told(headers, &reply, lease, Return::Rest)),
        Err(failure) => {
            if let Some(lease) = lease {
                calls.lease.let_go(caller, lease.id).await;
            }
            Err(failure)
        }
    }
}

async fn add(calls: &Calls, caller: &Caller, prefix: &Bytes, value: &Bytes, lease: i64) -> Result<PutReply, Failure> {
    let beside = Bytes::from([BESIDE, prefix].concat());
    for _ in 0..MOST_TRIES {
        let look = RangeRequest { key: beside.clone(), keys_only: true, ..RangeRequest::default() };
        let found = calls.kv.page(caller, look).await?;
        let (number, is_there) = (found.header.revision + 1, !found.reply.records.is_empty());
        let key = Bytes::from([prefix, format!("{number:020}").as_bytes()].concat());
        // Whatever somebody has there stays.
        let touch =
            PutRequest { key: beside.clone(), ignore_value: is_there, ignore_lease: is_there, ..PutRequest::default() };
        let put = PutRequest { key: key.clone(), value: value.clone(), lease, ..PutRequest::default() };
        let success = [touch, put].map(|put| RequestOp { request: Some(Request::RequestPut(put)) });
        let compare = vec![untouched(&beside, number), as_seen(&key, None)];
        let request = TxnRequest { compare, success: success.into(), failure: Vec::new() };
        match calls.kv.txn(caller, request).await.map(|answer| answer.reply.replies.into_iter().nth(1)) {
            Ok(Some(OpReply::Put(reply))) => return Ok(reply),
            Ok(Some(_)) => return Err(Error::ReplyMismatch.into()),
            // Somebody was quicker; or has removed the key beside.
            Ok(None) | Err(Error::KeyNotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::Contended)
}

/// A key that was not changed at this revision or later.
fn untouched(key: &Bytes, revision: i64) -> Compare {
    Compare {
        result: CompareResult::Less.into(),
        target: CompareTarget::Mod.into(),
        key: key.clone(),
        range_end: Bytes::new(),
        target_union: Some(TargetUnion::ModRevision(revision)),
    }
}
