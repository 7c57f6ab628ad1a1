//! What is said of a key: in headers beside its value, or as a document.

use std::io::Write as _;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use keyport_storage::{Record, Versions};
use serde::Serialize;

use super::tag::tag;
use crate::faces::kit;
use crate::faces::text::{GatewayBody, write_fields, write_readable};

/// The store's revision when it was asked, or after what was done.
pub(super) const REVISION: HeaderName = HeaderName::from_static("keyport-revision");
const CREATE_REVISION: HeaderName = HeaderName::from_static("keyport-create-revision");
const MOD_REVISION: HeaderName = HeaderName::from_static("keyport-mod-revision");
const VERSION: HeaderName = HeaderName::from_static("keyport-version");
const LEASE: HeaderName = HeaderName::from_static("keyport-lease");

/// What a document about a key has beside key and value.
const FRAME: usize = 160;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Says of a key what its value does not say.
pub(super) fn describe(headers: &mut HeaderMap, versions: Versions, revision: i64, is_document: bool) {
    let Versions { create_revision, mod_revision, version, lease } = versions;
    headers.insert(ETAG, tag(mod_revision, is_document));
    let names = [REVISION, CREATE_REVISION, MOD_REVISION, VERSION];
    for (name, number) in names.into_iter().zip(kit::numbers([revision, create_revision, mod_revision, version])) {
        headers.insert(name, number);
    }
    if lease != 0 {
        headers.insert(LEASE, lease.into());
    }
    // Whoever keeps it asks whether it is still so.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}

/// The document about a key.
pub(super) fn of_key(kv: &Record) -> Bytes {
    let mut out = Vec::with_capacity(kv.encoded().len() * 4 / 3 + FRAME);
    write_readable(&mut out, kv, None);
    out.push(b'\n');
    out.into()
}

/// What became of a key that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    pub(super) kv: &'a Record,
    pub(super) with_value: bool,
    /// Of the lease that it has for itself, in seconds.
    pub(super) ttl: Option<i64>,
    pub(super) previous: Option<&'a Record>,
}

impl Written<'_> {
    pub(super) fn document(self) -> Bytes {
        let value = if self.with_value { self.kv.value_len() } else { 0 };
        let previous = self.previous.map_or(0, |kv| kv.encoded().len() + FRAME);
        let mut out = Vec::with_capacity(self.kv.key().len() + value + previous + FRAME);
        self.write(&mut out);
        out.push(b'\n');
        out.into()
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        let Written { kv, with_value, ttl, previous } = self;
        out.push(b'{');
        write_fields(out, kv, with_value);
        if let Some(ttl) = ttl {
            // A vector takes everything.
            let _ = write!(out, ",\"ttl\":\"{ttl}\"");
        }
        if let Some(previous) = previous {
            out.extend_from_slice(b",\"prev_kv\":");
            write_readable(out, previous, None);
        }
        out.push(b'}');
    }
}

/// An answer that is a document.
pub(super) fn json(document: impl Into<Bytes>) -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::Full(document.into()));
    typed(response.headers_mut());
    response
}

/// The same of a small one.
pub(super) fn document(document: &impl Serialize) -> Response<GatewayBody> {
    // Of names and numbers: there always is a JSON form, and a vector takes it.
    let mut out = serde_json::to_vec(document).unwrap_or_default();
    out.push(b'\n');
    json(out)
}

/// Where the next page is: the same question, but for one parameter.
pub(super) fn next_page(parts: &Parts, name: &str, value: &str) -> HeaderValue {
    let is_other = |pair: &&str| !pair.is_empty() && pair.split('=').next() != Some(name);
    let others = parts.uri.query().unwrap_or_default().split('&').filter(is_other);
    let query: String = others.flat_map(|pair| [pair, "&"]).collect();
    // A query that came in a request's head goes into one.
    kit::header(&format!("<{}?{query}{name}={value}>; rel=\"next\"", parts.uri.path()))
}

/// An answer without a body.
pub(super) fn nothing() -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A body of JSON.
pub(super) fn typed(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, JSON);
}
