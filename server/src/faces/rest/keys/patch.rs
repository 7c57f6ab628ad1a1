//! `PATCH /v3/keys/{key}`: what the value is then is made of what it is now. The server reads, changes, and writes if it is
//! still so, as often as it takes.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{PutRequest, RangeRequest};
use keyport_storage::{Record, Versions};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::change::{Arithmetic, Change, Impossible};
use super::condition::as_seen;
use super::put::{Return, told};
use super::swap::put_of;
use crate::bulk::LARGE;
use crate::calls::{Caller, Calls, OpReply, PutReply};
use crate::faces::problem;
use crate::faces::rest::failure::Failure;
use crate::faces::rest::once::{self, BESIDE, Once, Outcome, Plainly, Way};
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
    let told = |reply: PutReply| told(Return::of(headers), &reply, None, Return::Representation);
    let Some(once) = once(headers, caller, &ask, &body)? else {
        let Outcome::Now(reply) = patch(calls, caller, &ask, &change, most_bytes, Plainly).await?;
        return Ok(told(reply));
    };
    match once.run(calls, caller, |noted| patch(calls, caller, &ask, &change, most_bytes, noted)).await? {
        Outcome::Now(reply) => Ok(told(reply)),
        Outcome::Before(record) => again(calls, caller, headers, &ask, &once, &record).await,
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

/// What is written down of it: what the key was then, but for its value.
#[derive(Serialize, Deserialize)]
struct Patched {
    /// 0 where it came into being.
    create_revision: i64,
    version: i64,
    lease: i64,
}

async fn patch<W: Way>(
    calls: &Calls,
    caller: &Caller,
    ask: &Ask,
    change: &Arc<Change>,
    most_bytes: usize,
    way: W,
) -> Result<Outcome<PutReply, W::Before>, Failure> {
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
        match way.attempt(calls, caller, vec![as_seen(&ask.key, seen)], vec![put], then).await? {
            Some(Outcome::Now(replies)) => {
                return Ok(Outcome::Now(put_of(replies.into_iter().next().unwrap_or(OpReply::Nothing))?));
            }
            Some(Outcome::Before(before)) => return Ok(Outcome::Before(before)),
            // Somebody was quicker.
            None => {}
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
    let mut response = told(Return::of(headers), &reply, None, form);
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
