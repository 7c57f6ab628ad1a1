//! What is said of a key: in headers beside its value, or as a document.

use std::io::Write as _;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue};
use keyport_storage::{Record, Versions};

use super::tag::tag;
use crate::faces::text::{write_fields, write_readable};

/// The store's revision when it was asked, or after what was done.
pub(super) const REVISION: HeaderName = HeaderName::from_static("keyport-revision");
const CREATE_REVISION: HeaderName = HeaderName::from_static("keyport-create-revision");
const MOD_REVISION: HeaderName = HeaderName::from_static("keyport-mod-revision");
const VERSION: HeaderName = HeaderName::from_static("keyport-version");
const LEASE: HeaderName = HeaderName::from_static("keyport-lease");

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Says of a key what its value does not say.
pub(super) fn describe(headers: &mut HeaderMap, kv: &Record, revision: i64, is_document: bool) {
    let Versions { create_revision, mod_revision, version, lease } = kv.versions();
    headers.insert(ETAG, tag(mod_revision, is_document));
    headers.insert(REVISION, revision.into());
    headers.insert(CREATE_REVISION, create_revision.into());
    headers.insert(MOD_REVISION, mod_revision.into());
    headers.insert(VERSION, version.into());
    if lease != 0 {
        headers.insert(LEASE, lease.into());
    }
    // Whoever keeps it asks whether it is still so.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}

/// The document about a key.
pub(super) fn document(kv: &Record) -> Bytes {
    let mut out = Vec::with_capacity(kv.encoded().len() * 4 / 3 + 128);
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
        let Written { kv, with_value, ttl, previous } = self;
        let mut out = vec![b'{'];
        write_fields(&mut out, kv, with_value);
        if let Some(ttl) = ttl {
            // A vector takes everything.
            let _ = write!(out, ",\"ttl\":\"{ttl}\"");
        }
        if let Some(previous) = previous {
            out.extend_from_slice(b",\"prev_kv\":");
            write_readable(&mut out, previous, None);
        }
        out.extend_from_slice(b"}\n");
        out.into()
    }
}

/// A body of JSON.
pub(super) fn typed(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, JSON);
}
