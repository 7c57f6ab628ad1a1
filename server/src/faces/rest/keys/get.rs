//! `GET /v3/keys/{key}`: a value, or a part of it, or the document about the key.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, IF_NONE_MATCH, IF_RANGE, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::RangeRequest;
use keyport_storage::{KeyRange, Record};

use super::ask::Ask;
use crate::calls::{Caller, Calls};
use crate::faces::byte_range::{Part, part};
use crate::faces::negotiation::best;
use crate::faces::rest::failure::Failure;
use crate::faces::rest::shown;
use crate::faces::rest::tag::{Tag, read};
use crate::faces::text::GatewayBody;
use crate::faces::{kit, problem};

/// The forms of an answer; the first one for those who do not mind.
const FORMS: [&str; 3] = ["application/octet-stream", "application/json", "text/plain"];
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Of an answer, but for rare ones.
const HEADERS: usize = 12;

/// Larger values are not copied for their way out.
const LARGE: usize = 16 * 1024;

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    parts: &Parts,
    ask: Ask,
) -> Result<Response<GatewayBody>, Failure> {
    let headers = &parts.headers;
    let mut found = find(calls, caller, &ask).await?;
    if let Some(wait) = ask.wait
        && !is_news(&ask, headers, found.kv.as_ref())
        && Box::pin(changes(calls, caller, parts, &ask, found.revision, wait)).await?
    {
        found = find(calls, caller, &ask).await?;
    }
    let (condition, Found { revision, kv }) = (&ask.condition, found);
    let found = kv.map(|kv| (kv.versions(), kv));
    let current = found.as_ref().map(|(versions, _)| versions.mod_revision);
    if !condition.is_as_it_must_be(current) {
        return Err(Failure::Changed(current));
    }
    let Some((versions, kv)) = found else { return Err(Failure::Absent(revision)) };
    let form = best(headers, &FORMS);
    let own = Tag { revision: versions.mod_revision, is_document: form == 1 };
    let mut response = if condition.is_known(own) {
        with(StatusCode::NOT_MODIFIED, Bytes::new())
    } else if form == 1 {
        let mut response = with(StatusCode::OK, shown::of_key(&kv));
        shown::typed(response.headers_mut());
        response
    } else {
        raw(parts, &kv, own, form == 2)
    };
    let said = response.headers_mut();
    shown::describe(said, versions, revision, form == 1);
    said.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    said.insert(VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// What there is of a key, as of a revision of the store.
struct Found {
    revision: i64,
    kv: Option<Record>,
}

async fn find(calls: &Calls, caller: &Caller, ask: &Ask) -> Result<Found, Failure> {
    let Ask { ref key, revision, serializable, .. } = *ask;
    let request = RangeRequest { key: key.clone(), revision, serializable, ..RangeRequest::default() };
    let found = calls.kv.range(caller, request).await.map_err(|error| match error {
        Error::Compacted => Failure::Compacted(calls.watch.compacted()),
        error => error.into(),
    })?;
    Ok(Found { revision: found.header.revision, kv: found.reply.records.into_iter().next() })
}

/// Waits for a change after a revision, for so long; whether there was one.
async fn changes(
    calls: &Calls,
    caller: &Caller,
    parts: &Parts,
    ask: &Ask,
    revision: i64,
    wait: Duration,
) -> Result<bool, Failure> {
    tokio::select! {
        changed = calls.watch.changed(caller, KeyRange::single(ask.key.clone()), revision) => Ok(changed.map(|()| true)?),
        () = tokio::time::sleep(wait) => Ok(false),
        () = kit::gone(parts) => Err(Error::Canceled.into()),
    }
}

/// Whether who waits has not seen it: who says what he has seen is told at once when it is something else.
fn is_news(ask: &Ask, headers: &HeaderMap, kv: Option<&Record>) -> bool {
    let current = kv.map(Record::mod_revision);
    !ask.condition.is_as_it_must_be(current) || headers.contains_key(IF_NONE_MATCH) && ask.condition.is_new(current)
}

/// The value, or the part of it that is asked for.
fn raw(parts: &Parts, kv: &Record, own: Tag, as_text: bool) -> Response<GatewayBody> {
    let (headers, value) = (&parts.headers, kv.value());
    let all = value.len();
    let is_own = || headers.get(IF_RANGE).is_none_or(|tag| tag.to_str().ok().and_then(read) == Some(own));
    // Parts are for GET alone: HEAD tells of all of it.
    let asked = headers.get(RANGE).filter(|_| parts.method == Method::GET && is_own());
    let sent = sent(kv, value);
    let mut response = match asked.map_or(Part::All, |asked| part(asked, all as u64)) {
        Part::All => with(StatusCode::OK, sent),
        Part::Some(part) => {
            let range = |end: u64| usize::try_from(end).unwrap_or(all).min(all);
            let mut response = with(StatusCode::PARTIAL_CONTENT, sent.slice(range(part.start)..range(part.end)));
            let described = format!("bytes {}-{}/{all}", part.start, part.end.saturating_sub(1));
            response.headers_mut().insert(CONTENT_RANGE, kit::header(&described));
            response
        }
        Part::Beyond => {
            let mut response = problem::of_http(StatusCode::RANGE_NOT_SATISFIABLE, "the value has not so many bytes");
            response.headers_mut().insert(CONTENT_RANGE, kit::header(&format!("bytes */{all}")));
            return response;
        }
    };
    let is_text = as_text && std::str::from_utf8(value).is_ok();
    let said = response.headers_mut();
    said.insert(CONTENT_TYPE, if is_text { TEXT } else { OCTETS });
    // It is somebody's bytes: no browser is to run them.
    said.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn sent(kv: &Record, value: &[u8]) -> Bytes {
    struct Value(Record);
    impl AsRef<[u8]> for Value {
        fn as_ref(&self) -> &[u8] {
            self.0.value()
        }
    }
    if value.len() < LARGE { Bytes::copy_from_slice(value) } else { Bytes::from_owner(Value(kv.clone())) }
}

fn with(status: StatusCode, body: Bytes) -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::Full(body));
    *response.status_mut() = status;
    // As many as are said of most keys: one place for all of them.
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS);
    response
}
