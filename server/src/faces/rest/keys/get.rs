//! `GET /v3/keys/{key}`: a value, or a part of it, or the document about the key.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, IF_NONE_MATCH, IF_RANGE, RANGE};
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
use crate::http::{Call, Rare};

/// The forms of an answer; the first one for those who do not mind.
const FORMS: [&str; 3] = ["application/octet-stream", "application/json", "text/plain"];
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

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
    let mut said = shown::of_key(versions, revision, own.is_document);
    Ok(if condition.is_known(own) {
        said.remove(CONTENT_TYPE);
        with(StatusCode::NOT_MODIFIED, said, Bytes::new())
    } else if own.is_document {
        shown::typed(&mut said);
        with(StatusCode::OK, said, shown::document_of(&kv))
    } else {
        raw(parts, &kv, own, form == 2, said)
    })
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
fn raw(parts: &Parts, kv: &Record, own: Tag, as_text: bool, mut said: HeaderMap) -> Response<GatewayBody> {
    let (headers, value) = (&parts.headers, kv.value());
    let all = value.len();
    let is_own = || headers.get(IF_RANGE).is_none_or(|tag| tag.to_str().ok().and_then(read) == Some(own));
    // Parts are for GET alone: HEAD tells of all of it.
    let may_ask = parts.method == Method::GET && Call::may_say(&parts.extensions, Rare::RANGE);
    let asked = if may_ask { headers.get(RANGE).filter(|_| is_own()) } else { None };
    if as_text && std::str::from_utf8(value).is_ok() {
        said.insert(CONTENT_TYPE, TEXT);
    }
    match asked.map_or(Part::All, |asked| part(asked, all as u64)) {
        Part::All => with(StatusCode::OK, said, sent(kv, value)),
        Part::Some(part) => {
            let range = |end: u64| usize::try_from(end).unwrap_or(all).min(all);
            let described = format!("bytes {}-{}/{all}", part.start, part.end.saturating_sub(1));
            said.insert(CONTENT_RANGE, kit::header(&described));
            with(StatusCode::PARTIAL_CONTENT, said, sent(kv, value).slice(range(part.start)..range(part.end)))
        }
        Part::Beyond => {
            let mut response = problem::of_http(StatusCode::RANGE_NOT_SATISFIABLE, "the value has not so many bytes");
            said.remove(CONTENT_TYPE);
            said.insert(CONTENT_RANGE, kit::header(&format!("bytes */{all}")));
            response.headers_mut().extend(said);
            response
        }
    }
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

fn with(status: StatusCode, said: HeaderMap, body: Bytes) -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::Full(body));
    *response.status_mut() = status;
    *response.headers_mut() = said;
    response
}
