//! `GET /v3/snapshot`: the database as a file, as `etcdctl snapshot save` writes it, for whoever has an HTTP client and no etcdctl.
//!
//! Each request gets a copy as of now. It is kept for a while, and who names it by its tag (`If-Match`, `If-Range`) gets
//! the rest of the same one. A range of nobody knows which copy is not given: it might be put behind that of another one.

use std::fmt::Write as _;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use tonic::Status;

use super::byte_range::{Part, part};
use super::text::GatewayBody;
use super::{kit, problem};
use crate::calls::{Calls, SavedCopy};
use crate::http::layers::LastsLong;

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const GONE: &str = "no copy with this tag is kept any more: begin anew without If-Match";

/// Answers a GET or HEAD.
pub(super) async fn answer(calls: &Calls, parts: &Parts) -> Response<GatewayBody> {
    let head_only = parts.method == Method::HEAD;
    let mut response = match give(calls, parts).await {
        Ok(response) => response,
        Err(status) => problem::of_status(&status, &parts.headers),
    };
    if head_only {
        *response.body_mut() = GatewayBody::empty();
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn give(calls: &Calls, parts: &Parts) -> Result<Response<GatewayBody>, Status> {
    let caller = kit::caller(&parts.extensions)?;
    let headers = &parts.headers;
    let asked = headers.get(RANGE);
    let (must, may) = (tags(headers, IF_MATCH), asked.and(tags(headers, IF_RANGE)));
    let wanted = must.as_ref().or(may.as_ref()).map(Vec::as_slice).unwrap_or_default();
    let any = |tags: &[String]| tags.iter().any(|tag| tag == "*");
    let or_new = must.as_deref().is_none_or(any);
    let Some(copy) = calls.maintenance.saved_copy(&caller, wanted, or_new).await? else {
        return Ok(problem::of_http(StatusCode::PRECONDITION_FAILED, GONE));
    };
    let tag = copy.tag();
    if tags(headers, IF_NONE_MATCH).is_some_and(|not| not.contains(&tag)) {
        return Ok(described(StatusCode::NOT_MODIFIED, &copy));
    }
    let is_named = wanted.contains(&tag);
    let part = match asked.filter(|_| is_named && parts.method == Method::GET) {
        Some(asked) => part(asked, copy.len()),
        None => Part::All,
    };
    Ok(send(copy, &part))
}

/// The tags in a header, and `*`, if it is there. Weak ones name no copy.
fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Vec<String>> {
    let mut values = headers.get_all(name).into_iter().peekable();
    values.peek()?;
    let texts = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    Some(texts.map(|tag| tag.trim().to_owned()).collect())
}

fn send(copy: SavedCopy, part: &Part) -> Response<GatewayBody> {
    let all = copy.len();
    let (status, sent) = match part {
        Part::All => (StatusCode::OK, 0..all),
        Part::Some(some) => (StatusCode::PARTIAL_CONTENT, some.clone()),
        Part::Beyond => {
            let mut response = problem::of_http(StatusCode::RANGE_NOT_SATISFIABLE, "the copy has not so many bytes");
            response.headers_mut().insert(CONTENT_RANGE, kit::header(&format!("bytes */{all}")));
            return response;
        }
    };
    let length = sent.end.saturating_sub(sent.start);
    let mut response = described(status, &copy);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_DISPOSITION, kit::header(&format!("attachment; filename=\"{}\"", file_name(&copy))));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = sent.end.saturating_sub(1);
        headers.insert(CONTENT_RANGE, kit::header(&format!("bytes {}-{last}/{all}", sent.start)));
    }
    response.extensions_mut().insert(LastsLong);
    *response.body_mut() = GatewayBody::sized(length, copy.bytes(sent));
    response
}

/// What is said of a copy in any case.
fn described(status: StatusCode, copy: &SavedCopy) -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(ETAG, kit::header(&copy.tag()));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let digest = base64_simd::STANDARD.encode_to_string(copy.digest());
    headers.insert(REPR_DIGEST, kit::header(&format!("sha-256=:{digest}:")));
    response
}

/// By when it was made.
fn file_name(copy: &SavedCopy) -> String {
    let made = copy.made();
    let (date, time) = (made.date(), made.time());
    let mut name = format!("keyport-{}{:02}{:02}", date.year(), u8::from(date.month()), date.day());
    let _ = write!(name, "-{:02}{:02}{:02}.db", time.hour(), time.minute(), time.second());
    name
}
