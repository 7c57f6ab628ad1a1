//! `PUT /v3/keys/{key}`: the body is the value.

use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::PutRequest;
use keyport_api::etcdserverpb::request_op::Request;
use tokio_util::sync::CancellationToken;

use super::ask::{Ask, Hold};
use super::swap::{current, put_of, swap};
use crate::calls::{Caller, Calls, KeyLease, PutReply};
use crate::faces::rest::address::location;
use crate::faces::rest::failure::Failure;
use crate::faces::rest::hold;
use crate::faces::rest::own_lease::OwnLease;
use crate::faces::rest::shown::{self, Written};
use crate::faces::text::GatewayBody;
use crate::http::{Call, Rare};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How often a key is bound to the lease that it has, when that ends meanwhile.
const MOST_TRIES: usize = 3;

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    parts: &Parts,
    ask: Ask,
    value: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    let headers = &parts.headers;
    if headers.contains_key(CONTENT_RANGE) {
        return Err(Failure::Malformed("a part of a value cannot be written: leave out Content-Range".into()));
    }
    let (reply, lease) = match ask.hold {
        Hold::Nothing => (write(calls, caller, &ask, value, 0).await?, None),
        Hold::Lease(id) => (write(calls, caller, &ask, value, id).await?, None),
        Hold::Ttl(seconds) => {
            let (reply, lease) = Box::pin(write_for(calls, caller, &ask, &value, seconds)).await?;
            (reply, Some(lease))
        }
    };
    let preferred = if Call::may_say(&parts.extensions, Rare::PREFER) { Return::of(headers) } else { None };
    Ok(told(preferred, &reply, lease, Return::Rest))
}

/// Writes a key that is there for as long as the answer is read.
pub(super) async fn hold(
    calls: &Calls,
    caller: &Caller,
    parts: &Parts,
    (ask, value): (Ask, Bytes),
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    let seconds = match ask.hold {
        Hold::Nothing => hold::TTL,
        Hold::Ttl(seconds) => seconds,
        Hold::Lease(_) => {
            return Err(Failure::Malformed("what a stream holds has a lease of its own: leave out lease".into()));
        }
    };
    let lease = OwnLease::for_key(calls, caller, &ask.key, seconds).await?;
    let reply = write(calls, caller, &ask, value, lease.get().id).await?;
    let kv = reply.record.as_ref().ok_or(Error::ReplyMismatch)?;
    let ttl = Some(lease.get().ttl);
    let versions = kv.versions();
    let written = Written { kv, versions, with_value: false, ttl, previous: reply.previous.as_ref() }.document();
    Ok(hold::stream(parts, stop, lease, None, async { Ok(written) }))
}

/// Writes a key that goes by itself after a while. Its lease is renewed by who has written it, and by nobody who has not.
async fn write_for(
    calls: &Calls,
    caller: &Caller,
    ask: &Ask,
    value: &Bytes,
    seconds: i64,
) -> Result<(PutReply, KeyLease), Failure> {
    if !ask.condition.is_none() {
        let current = current(calls, caller, &ask.key).await?;
        if !ask.condition.is_met(current) {
            return Err(Failure::Changed(current));
        }
    }
    for again in (0..MOST_TRIES).rev() {
        let lease = match again {
            // Others give it other times again and again: one of its own is nobody's to end.
            0 => calls.lease.new_for_key(caller, &ask.key, seconds).await?,
            _ => calls.lease.for_key(caller, &ask.key, seconds).await?,
        };
        match write(calls, caller, ask, value.clone(), lease.id).await {
            Ok(reply) if lease.is_new || calls.lease.renewed(caller, lease.id).await? => return Ok((reply, lease)),
            // It has ended meanwhile, and the key with it.
            Ok(_) => {}
            Err(Failure::Refused(Error::LeaseNotFound)) if !lease.is_new => {}
            Err(failure) => {
                if lease.is_new {
                    calls.lease.let_go(caller, lease).await;
                }
                return Err(failure);
            }
        }
    }
    Err(Failure::Contended)
}

async fn write(calls: &Calls, caller: &Caller, ask: &Ask, value: Bytes, lease: i64) -> Result<PutReply, Failure> {
    let request = PutRequest { key: ask.key.clone(), value, lease, prev_kv: ask.previous, ..PutRequest::default() };
    if ask.condition.is_none() {
        return Ok(calls.kv.put(caller, request).await?.reply);
    }
    put_of(Box::pin(swap(calls, caller, &ask.key, &ask.condition, Request::RequestPut(request))).await?)
}

/// What the answer is to have in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    Minimal,
    Representation,
    /// What is not in the request.
    Rest,
}

impl Return {
    /// What the request prefers.
    pub(super) fn of(headers: &HeaderMap) -> Option<Return> {
        let values = headers.get_all(PREFER).into_iter().filter_map(|value| value.to_str().ok());
        let preferences = values.flat_map(|value| value.split(',')).filter_map(|one| one.split(';').next());
        let mut wanted = preferences.map(|one| one.trim().to_ascii_lowercase().replace([' ', '"'], ""));
        wanted.find_map(|one| match &*one {
            "return=minimal" => Some(Return::Minimal),
            "return=representation" => Some(Return::Representation),
            _ => None,
        })
    }

    fn applied(self) -> Option<HeaderValue> {
        match self {
            Return::Minimal => Some(HeaderValue::from_static("return=minimal")),
            Return::Representation => Some(HeaderValue::from_static("return=representation")),
            Return::Rest => None,
        }
    }
}

/// What is said of a key that was written; `usual` to those who prefer nothing.
pub(super) fn told(
    preferred: Option<Return>,
    reply: &PutReply,
    lease: Option<KeyLease>,
    usual: Return,
) -> Response<GatewayBody> {
    // What was there before has to be in the answer if it was asked for.
    let preferred = preferred.filter(|preferred| *preferred != Return::Minimal || reply.previous.is_none());
    let wanted = preferred.unwrap_or(usual);
    let Some(kv) = &reply.record else { return Response::new(GatewayBody::empty()) };
    let versions = kv.versions();
    let is_new = versions.version == 1;
    let (status, body) = match wanted {
        Return::Minimal if !is_new => (StatusCode::NO_CONTENT, Bytes::new()),
        Return::Minimal => (StatusCode::CREATED, Bytes::new()),
        Return::Representation | Return::Rest => {
            let with_value = wanted == Return::Representation;
            let ttl = lease.map(|lease| lease.ttl);
            let written = Written { kv, versions, with_value, ttl, previous: reply.previous.as_ref() };
            (if is_new { StatusCode::CREATED } else { StatusCode::OK }, written.document())
        }
    };
    let has_body = !body.is_empty();
    let mut response = Response::new(GatewayBody::Full(body));
    *response.status_mut() = status;
    *response.headers_mut() = shown::of_written(versions.mod_revision, reply.revision);
    let said = response.headers_mut();
    if !has_body {
        said.remove(CONTENT_TYPE);
    }
    if is_new {
        said.insert(LOCATION, location(kv.key()));
    }
    if let Some(applied) = preferred.and_then(Return::applied) {
        said.insert(PREFERENCE_APPLIED, applied);
    }
    response
}
