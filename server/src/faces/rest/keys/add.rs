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
use keyport_storage::{Record, Versions};
use serde::{Deserialize, Serialize};

use super::ask::{Ask, Hold};
use super::condition::as_seen;
use super::put::{Return, told};
use crate::calls::{Caller, Calls, KeyLease, OpReply, PutReply, TxnReply};
use crate::faces::rest::failure::Failure;
use crate::faces::rest::once::{self, BESIDE, Once, REMEMBERED};
use crate::faces::text::GatewayBody;

/// How often others, at other members, may have been quicker.
const MOST_TRIES: usize = 256;

/// What came of a request that may come again.
#[derive(Serialize, Deserialize)]
struct Done {
    key_b64: String,
    lease: i64,
}

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
    let beside = Bytes::from([BESIDE, &ask.key].concat());
    let hold = match ask.hold {
        Hold::Nothing => String::new(),
        Hold::Lease(id) => format!("lease {id}"),
        Hold::Ttl(seconds) => format!("ttl {seconds}"),
    };
    let once = Once::of(headers, caller, &beside, &[hold.as_bytes(), &value])?;
    if let Some(once) = &once
        && let Some(record) = calls.kv.page(caller, once.look()).await?.reply.records.into_iter().next()
    {
        return again(calls, headers, once, &record, &value);
    }
    let lease = match ask.hold {
        Hold::Ttl(seconds) => Some(calls.lease.new_for_key(caller, &ask.key, seconds).await?),
        Hold::Nothing | Hold::Lease(_) => None,
    };
    let id = match (ask.hold, lease) {
        (_, Some(KeyLease { id, .. })) | (Hold::Lease(id), None) => id,
        _ => 0,
    };
    let addition = Addition { prefix: &ask.key, beside: &beside, value: &value, lease: id };
    let added = match &once {
        None => add(calls, caller, addition, None).await,
        Some(once) => add_once(calls, caller, addition, once).await,
    };
    if !matches!(added, Ok(Added::Now(_)))
        && let Some(lease) = lease
    {
        calls.lease.let_go(caller, lease).await;
    }
    match (added?, &once) {
        (Added::Now(reply), _) => Ok(told(headers, &reply, lease, Return::Rest)),
        (Added::Before(record), Some(once)) => again(calls, headers, once, &record, &value),
        (Added::Before(_), None) => Err(Error::ReplyMismatch.into()),
    }
}

/// Answers as the first time.
fn again(
    calls: &Calls,
    headers: &HeaderMap,
    once: &Once,
    record: &Record,
    value: &[u8],
) -> Result<Response<GatewayBody>, Failure> {
    let Done { key_b64, lease } = once.done(record)?;
    let key = base64_simd::STANDARD.decode_to_vec(&key_b64).map_err(|_| Failure::Reused)?;
    // They were written together.
    let revision = record.versions().create_revision;
    let versions = Versions { create_revision: revision, mod_revision: revision, version: 1, lease };
    let reply = PutReply { revision, record: Some(Record::new(&key, value, versions)), previous: None };
    let mut response = told(headers, &reply, calls.lease.of_its_key(lease), Return::Rest);
    once::mark(&mut response);
    Ok(response)
}

/// What is to be added.
#[derive(Clone, Copy)]
struct Addition<'a> {
    prefix: &'a Bytes,
    beside: &'a Bytes,
    value: &'a Bytes,
    lease: i64,
}

/// What came of it.
enum Added {
    Now(PutReply),
    /// It had been before, and was written down.
    Before(Record),
}

/// Writes down that it was done, for as long as somebody may come again.
async fn add_once(calls: &Calls, caller: &Caller, addition: Addition<'_>, once: &Once) -> Result<Added, Failure> {
    let lease = calls.lease.new_for_key(caller, &once.at, REMEMBERED).await?;
    let added = add(calls, caller, addition, Some((once, lease.id))).await;
    if !matches!(added, Ok(Added::Now(_))) {
        calls.lease.let_go(caller, lease).await;
    }
    added
}

/// `once` goes with the lease that takes what is written down of it away.
async fn add(
    calls: &Calls,
    caller: &Caller,
    Addition { prefix, beside, value, lease }: Addition<'_>,
    once: Option<(&Once, i64)>,
) -> Result<Added, Failure> {
    let operation = |request| RequestOp { request: Some(request) };
    for _ in 0..MOST_TRIES {
        let look = RangeRequest { key: beside.clone(), keys_only: true, ..RangeRequest::default() };
        let found = calls.kv.page(caller, look).await?;
        let (number, is_there) = (found.header.revision + 1, !found.reply.records.is_empty());
        let key = Bytes::from([prefix, format!("{number:020}").as_bytes()].concat());
        // Whatever somebody has there stays.
        let touch =
            PutRequest { key: beside.clone(), ignore_value: is_there, ignore_lease: is_there, ..PutRequest::default() };
        let put = PutRequest { key: key.clone(), value: value.clone(), lease, ..PutRequest::default() };
        let done = Done { key_b64: base64_simd::STANDARD.encode_to_string(&key), lease: put.lease };
        let written = once.map(|(once, lease)| once.write(done, lease));
        let puts = [touch, put].into_iter().chain(written);
        let success = puts.map(|put| operation(Request::RequestPut(put))).collect();
        let failure = once.iter().map(|(once, _)| operation(Request::RequestRange(once.look()))).collect();
        let mut compare = vec![untouched(beside, number), as_seen(&key, None)];
        compare.extend(once.map(|(once, _)| once.is_new()));
        match calls.kv.txn(caller, TxnRequest { compare, success, failure }).await.map(|answer| answer.reply) {
            Ok(TxnReply { succeeded: true, replies, .. }) => match replies.into_iter().nth(1) {
                Some(OpReply::Put(reply)) => return Ok(Added::Now(reply)),
                _ => return Err(Error::ReplyMismatch.into()),
            },
            Ok(TxnReply { replies, .. }) => match replies.into_iter().next() {
                Some(OpReply::Range(found)) if !found.records.is_empty() => {
                    return found.records.into_iter().next().map(Added::Before).ok_or(Error::ReplyMismatch.into());
                }
                // Somebody was quicker.
                _ => {}
            },
            // Somebody has removed the key beside.
            Err(Error::KeyNotFound) => {}
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
