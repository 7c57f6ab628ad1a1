//! `PATCH /v3/keys/{key}`: what the value is then is made of what it is now. The server reads, changes, and writes if it is
//! still so, as often as it takes.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{PutRequest, RangeRequest, RequestOp, TxnRequest};
use keyport_storage::{Record, Versions};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::change::{Arithmetic, Change, Impossible};
use super::condition::as_seen;
use super::put::{Return, told};
use super::swap::{attempt, put_of};
use crate::bulk::LARGE;
use crate::calls::{Caller, Calls, OpReply, PutReply};
use crate::faces::problem;
use crate::faces::rest::failure::Failure;
use crate::faces::rest::once::{self, BESIDE, Once, REMEMBERED};
use crate::faces::text::GatewayBody;

const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const PATCHES: HeaderValue = HeaderValue::from_static("application/merge-patch+json, application/json-patch+json");

/// How often somebody else may have been quicker.
const MOST_TRIES: usize = 256;

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    headers: &HeaderMap,
    ask: Ask,
    body: Bytes,
    most_bytes: usize,
) -> Result<Response<GatewayBody>, Failure> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let change = match Change::of(ask.arithmetic, media_type, &body)? {
        Some(change) => Arc::new(change),
        None => {
            let detail = "a patch is one of Accept-Patch, by its Content-Type, or increment or append in the query";
            let mut response = problem::of_http(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
            response.headers_mut().insert(ACCEPT_PATCH, PATCHES);
            return Ok(response);
        }
    };
    let Some(once) = once(headers, caller, &ask, &body)? else {
        let Done::Now(reply) = patch(calls, caller, &ask, &change, most_bytes, None).await? else {
            return Err(Error::ReplyMismatch.into());
        };
        return Ok(told(headers, &reply, None, Return::Representation));
    };
    if let Some(record) = calls.kv.page(caller, once.look()).await?.reply.records.into_iter().next() {
        return again(calls, caller, headers, &ask, &once, &record).await;
    }
    let lease = calls.lease.new_for_key(caller, &once.at, REMEMBERED).await?;
    let done = patch(calls, caller, &ask, &change, most_bytes, Some((&once, lease.id))).await;
    if !matches!(done, Ok(Done::Now(_))) {
        calls.lease.let_go(caller, lease).await;
    }
    match done? {
        Done::Now(reply) => Ok(told(headers, &reply, None, Return::Representation)),
        Done::Before(record) => again(calls, caller, headers, &ask, &once, &record).await,
    }
}

/// By what a patch is known that comes again. What the key had to be for it counts the first time alone.
fn once(headers: &HeaderMap, caller: &Caller, ask: &Ask, body: &Bytes) -> Result<Option<Once>, Failure> {
    let arithmetic = match ask.arithmetic {
        Arithmetic::None => String::new(),
        Arithmetic::Increment(by) => format!("increment {by}"),
        Arithmetic::Append => "append".to_owned(),
    };
    let media_type = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let beside = [BESIDE, &ask.key].concat();
    Once::of(headers, caller, &beside, &[b"patch", arithmetic.as_bytes(), media_type, body])
}

/// What came of a patch.
enum Done {
    Now(PutReply),
    /// It had been applied before, and that was written down.
    Before(Record),
}

/// What is written down of it: what the key was then, but for its value.
#[derive(Serialize, Deserialize)]
struct Patched {
    /// 0 where it came into being.
    create_revision: i64,
    version: i64,
    lease: i64,
}

/// `once` goes with the lease that takes what is written down of it away.
async fn patch(
    calls: &Calls,
    caller: &Caller,
    ask: &Ask,
    change: &Arc<Change>,
    most_bytes: usize,
    once: Option<(&Once, i64)>,
) -> Result<Done, Failure> {
    for _ in 0..MOST_TRIES {
        let current = current(calls, caller, &ask.key).await?;
        let seen = current.as_ref().map(Record::mod_revision);
        if !ask.condition.is_met(seen) {
            return Err(Failure::Changed(seen));
        }
        let then = current.as_ref().map_or(Patched { create_revision: 0, version: 1, lease: 0 }, |kv| {
            let Versions { create_revision, version, lease, .. } = kv.versions();
            Patched { create_revision, version: version + 1, lease }
        });
        let is_there = current.is_some();
        let value = changed(calls, caller, change, current, most_bytes).await?;
        // What is there keeps its lease.
        let (key, prev_kv) = (ask.key.clone(), ask.previous);
        let put = PutRequest { key, value, ignore_lease: is_there, prev_kv, ..PutRequest::default() };
        let guard = as_seen(&ask.key, seen);
        let Some((once, lease)) = once else {
            match attempt(calls, caller, &ask.key, vec![guard], Request::RequestPut(put)).await? {
                Ok(reply) => return Ok(Done::Now(put_of(reply)?)),
                Err(_) => continue,
            }
        };
        let operation = |request| RequestOp { request: Some(request) };
        let request = TxnRequest {
            compare: vec![guard, once.is_new()],
            success: [put, once.write(then, lease)].map(Request::RequestPut).map(operation).into(),
            failure: vec![operation(Request::RequestRange(once.look()))],
        };
        let reply = calls.kv.txn(caller, request).await?.reply;
        match reply.replies.into_iter().next().unwrap_or(OpReply::Nothing) {
            OpReply::Range(found) if !reply.succeeded => {
                if let Some(record) = found.records.into_iter().next() {
                    return Ok(Done::Before(record));
                }
            }
            first => return Ok(Done::Now(put_of(first)?)),
        }
    }
    Err(Failure::Contended)
}

/// Answers as the first time; without the value, where that is compacted.
async fn again(
    calls: &Calls,
    caller: &Caller,
    headers: &HeaderMap,
    ask: &Ask,
    once: &Once,
    record: &Record,
) -> Result<Response<GatewayBody>, Failure> {
    let Patched { create_revision, version, lease } = once.done(record)?;
    // They were written together.
    let revision = record.versions().create_revision;
    let create_revision = if create_revision == 0 { revision } else { create_revision };
    let versions = Versions { create_revision, mod_revision: revision, version, lease };
    let look = RangeRequest { key: ask.key.clone(), revision, ..RangeRequest::default() };
    let (kv, form) = match calls.kv.range(caller, look).await {
        Ok(found) => (found.reply.records.into_iter().next(), Return::Representation),
        Err(Error::Compacted) => (None, Return::Rest),
        Err(error) => return Err(error.into()),
    };
    let kv = kv.unwrap_or_else(|| Record::new(&ask.key, &[], versions));
    let reply = PutReply { revision, record: Some(kv), previous: None };
    let mut response = told(headers, &reply, None, form);
    once::mark(&mut response);
    Ok(response)
}

/// On the event loop if it is small.
async fn changed(
    calls: &Calls,
    caller: &Caller,
    change: &Arc<Change>,
    current: Option<Record>,
    most_bytes: usize,
) -> Result<Bytes, Failure> {
    let size = change.size() + current.as_ref().map_or(0, |kv| kv.encoded().len());
    let outcome = if size <= LARGE {
        change.apply(current.as_ref().map(Record::value), most_bytes)
    } else {
        let change = Arc::clone(change);
        let work = move |_: &_| change.apply(current.as_ref().map(Record::value), most_bytes);
        calls.aside(caller).run(work).await?
    };
    outcome.map_err(|impossible| match impossible {
        Impossible::TooLarge => Error::RequestTooLarge.into(),
        Impossible::State(detail) => Failure::Conflict(detail),
    })
}

/// What there is of a key, to who may write it.
async fn current(calls: &Calls, caller: &Caller, key: &Bytes) -> Result<Option<Record>, Failure> {
    calls.kv.may_put(caller, key).await?;
    let request = RangeRequest { key: key.clone(), ..RangeRequest::default() };
    Ok(calls.kv.page(caller, request).await?.reply.records.into_iter().next())
}
