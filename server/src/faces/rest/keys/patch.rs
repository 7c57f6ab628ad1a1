//! `PATCH /v3/keys/{key}`: what the value is then is made of what it is now. The server reads, changes, and writes if it is
//! still so, as often as it takes.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::{PutRequest, RangeRequest};
use keyport_storage::Record;

use super::ask::Ask;
use super::change::{Change, Impossible};
use super::condition::as_seen;
use super::put::{Return, told};
use super::swap::{attempt, put_of};
use crate::bulk::LARGE;
use crate::calls::{Caller, Calls};
use crate::faces::problem;
use crate::faces::rest::failure::Failure;
use crate::faces::rest::once::IDEMPOTENCY_KEY;
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
    if headers.contains_key(IDEMPOTENCY_KEY) {
        return Err(Failure::Malformed(
            "Idempotency-Key is for POST: If-Match keeps a patch from being done twice".into(),
        ));
    }
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
    for _ in 0..MOST_TRIES {
        let current = current(calls, caller, &ask.key).await?;
        let seen = current.as_ref().map(Record::mod_revision);
        if !ask.condition.is_met(seen) {
            return Err(Failure::Changed(seen));
        }
        let is_there = current.is_some();
        let value = changed(calls, caller, &change, current, most_bytes).await?;
        // What is there keeps its lease.
        let (key, prev_kv) = (ask.key.clone(), ask.previous);
        let put = PutRequest { key, value, ignore_lease: is_there, prev_kv, ..PutRequest::default() };
        let guards = vec![as_seen(&ask.key, seen)];
        if let Ok(reply) = attempt(calls, caller, &ask.key, guards, Request::RequestPut(put)).await? {
            return Ok(told(headers, &put_of(reply)?, None, Return::Representation));
        }
    }
    Err(Failure::Contended)
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
