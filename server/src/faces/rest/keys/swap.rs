//! Writing a key if it is what it has to be: looking and writing are one transaction.

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{Compare, RangeRequest, RequestOp, TxnRequest};
use keyport_storage::Record;

use super::condition::{Condition, Guards, as_seen};
use crate::calls::{Caller, Calls, OpReply, PutReply};
use crate::faces::rest::failure::Failure;

/// How often one looks again, when the key changes between looking and writing.
const MOST_TRIES: usize = 16;

/// Does `operation` if the key fulfils the condition.
///
/// # Errors
/// `Changed`, when it does not; what the calls refuse.
pub(super) async fn swap(
    calls: &Calls,
    caller: &Caller,
    key: &Bytes,
    condition: &Condition,
    operation: Request,
) -> Result<OpReply, Failure> {
    let mut last = None;
    for _ in 0..MOST_TRIES {
        let (guards, is_certain) = match condition.guards(key) {
            Guards::All(guards) => (guards, true),
            Guards::OneOf => {
                let current = current(calls, caller, key).await?;
                if !condition.is_met(current) {
                    return Err(Failure::Changed(current));
                }
                (vec![as_seen(key, current)], false)
            }
        };
        match attempt(calls, caller, key, guards, operation.clone()).await? {
            Ok(reply) => return Ok(reply),
            Err(current) if is_certain => return Err(Failure::Changed(current)),
            Err(current) => last = current,
        }
    }
    Err(Failure::Changed(last))
}

/// The operation's answer, or the revision of what the key is instead.
async fn attempt(
    calls: &Calls,
    caller: &Caller,
    key: &Bytes,
    compare: Vec<Compare>,
    operation: Request,
) -> Result<Result<OpReply, Option<i64>>, Failure> {
    let request = TxnRequest {
        compare,
        success: vec![RequestOp { request: Some(operation) }],
        failure: vec![RequestOp { request: Some(Request::RequestRange(look(key))) }],
    };
    let reply = calls.kv.txn(caller, request).await?.reply;
    let first = reply.replies.into_iter().next().unwrap_or(OpReply::Nothing);
    Ok(match first {
        OpReply::Range(found, _) if !reply.succeeded => Err(found.records.first().map(Record::mod_revision)),
        first => Ok(first),
    })
}

/// The revision of a key's last change, if it is there, to who may write it.
pub(super) async fn current(calls: &Calls, caller: &Caller, key: &Bytes) -> Result<Option<i64>, Failure> {
    calls.kv.may_put(caller, key).await?;
    let found = calls.kv.page(caller, look(key)).await?;
    Ok(found.reply.records.first().map(Record::mod_revision))
}

/// The answer to a put.
///
/// # Errors
/// When it is another's.
pub(super) fn put_of(reply: OpReply) -> Result<PutReply, Failure> {
    match reply {
        OpReply::Put(reply) => Ok(reply),
        _ => Err(Error::ReplyMismatch.into()),
    }
}

/// What a key is, but for its value.
fn look(key: &Bytes) -> RangeRequest {
    RangeRequest { key: key.clone(), keys_only: true, ..RangeRequest::default() }
}
