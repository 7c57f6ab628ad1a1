//! What is said of a key: in headers beside its value, or as a document.

use std::io::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY, X_CONTENT_TYPE_OPTIONS};
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

/// Of a key and its value.
static OF_KEY: LazyLock<HeaderMap> = LazyLock::new(|| {
    template(
        &[ETAG, REVISION, CREATE_REVISION, MOD_REVISION, VERSION],
        &[
            (ACCEPT_RANGES, "bytes"),
            (VARY, "accept"),
            // Whoever keeps it asks whether it is still so.
            (CACHE_CONTROL, "no-cache"),
            (CONTENT_TYPE, "application/octet-stream"),
            // It is somebody's bytes: no browser is to run them.
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ],
    )
});

/// Of a key that was written.
static OF_WRITTEN: LazyLock<HeaderMap> =
    LazyLock::new(|| template(&[ETAG, REVISION], &[(CONTENT_TYPE, "application/json")]));

/// Headers that answers of a kind have: first places for what each says for itself, then what all of them say. A copy takes a
/// fraction of what it takes to put them together.
fn template(own: &[HeaderName], alike: &[(HeaderName, &'static str)]) -> HeaderMap {
    let own = own.iter().map(|name| (name.clone(), HeaderValue::from_static("")));
    let alike = alike.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
    own.chain(alike).collect()
}

/// A copy with what one answer says for itself.
fn filled<const N: usize>(template: &HeaderMap, own: [HeaderValue; N]) -> HeaderMap {
    let mut headers = template.clone();
    for (place, value) in headers.values_mut().zip(own) {
        *place = value;
    }
    headers
}

/// Says of a key what its value does not say, and that it is bytes.
pub(super) fn of_key(versions: Versions, revision: i64, is_document: bool) -> HeaderMap {
    let Versions { create_revision, mod_revision, version, lease } = versions;
    let [of_store, created, own, count] = [revision, create_revision, mod_revision, version].map(kit::number);
    let mut headers = filled(&OF_KEY, [tag(mod_revision, is_document), of_store, created, own, count]);
    if lease != 0 {
        headers.insert(LEASE, kit::number(lease));
    }
    headers
}

/// Says of a key that was written what it is now, and that the rest is JSON.
pub(super) fn of_written(mod_revision: i64, revision: i64) -> HeaderMap {
    filled(&OF_WRITTEN, [tag(mod_revision, false), kit::number(revision)])
}

/// The document about a key.
pub(super) fn document_of(kv: &Record) -> Bytes {
    let mut out = Vec::with_capacity(kv.encoded().len() * 4 / 3 + FRAME);
    write_readable(&mut out, kv, None);
    out.push(b'\n');
    out.into()
}

/// What became of a key that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    pub(super) kv: &'a Record,
    /// Those of the record.
    pub(super) versions: Versions,
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
        let Written { kv, versions, with_value, ttl, previous } = self;
        out.push(b'{');
        write_fields(out, kv, versions, with_value);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_its_own() {
        let versions = Versions { create_revision: 2, mod_revision: 3, version: 4, lease: 0 };
        let said = of_key(versions, 5, true);
        for (name, value) in [
            ("etag", "\"3.json\""),
            ("keyport-revision", "5"),
            ("keyport-create-revision", "2"),
            ("keyport-mod-revision", "3"),
            ("keyport-version", "4"),
            ("accept-ranges", "bytes"),
            ("vary", "accept"),
            ("cache-control", "no-cache"),
            ("content-type", "application/octet-stream"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(said[name], value, "{name}");
        }
        assert_eq!(said.len(), 10);
        assert_eq!(of_key(Versions { lease: 6, ..versions }, 5, false)["keyport-lease"], "6");
        let said = of_written(3, 5);
        assert_eq!(
            (&said["etag"], &said["keyport-revision"], &said["content-type"]),
            (&HeaderValue::from_static("\"3\""), &HeaderValue::from_static("5"), &JSON)
        );
        assert_eq!(said.len(), 3);
    }
}
