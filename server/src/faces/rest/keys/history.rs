//! `GET /v3/history/{key}`: what the key was, the newest first.

use std::io::Write as _;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, LINK};
use http::request::Parts;
use http::{HeaderValue, Response};
use keyport_storage::Record;

use super::ask::Ask;
use crate::calls::{Caller, Calls, HistoryReply, HistoryRequest};
use crate::faces::rest::failure::Failure;
use crate::faces::rest::shown;
use crate::faces::text::{GatewayBody, write_bytes, write_fields};

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    parts: &Parts,
    ask: Ask,
) -> Result<Response<GatewayBody>, Failure> {
    let Ask { key, serializable, before, limit, .. } = ask;
    let request = HistoryRequest { key: key.clone(), before, limit, serializable };
    let reply = calls.kv.history(caller, request).await?;
    let next = reply.versions.last().filter(|_| reply.more).map(Record::mod_revision);
    let mut response = shown::json(document(&key, &reply, next));
    let said = response.headers_mut();
    said.insert(shown::REVISION, reply.revision.into());
    said.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(next) = next {
        said.insert(LINK, shown::next_page(parts, "before", &next.to_string()));
    }
    Ok(response)
}

/// (A vector takes everything.)
fn document(key: &[u8], reply: &HistoryReply, next: Option<i64>) -> Bytes {
    let mut out = vec![b'{'];
    write_bytes(&mut out, "key", key);
    let _ = write!(out, ",\"revision\":\"{}\",\"compact_revision\":\"{}\"", reply.revision, reply.compacted.max(0));
    out.extend_from_slice(b",\"versions\":[");
    for (at, version) in reply.versions.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{" } else { b"{" });
        let is_there = version.versions().version > 0;
        write_fields(&mut out, version, version.versions(), is_there);
        if !is_there {
            out.extend_from_slice(b",\"deleted\":true");
        }
        out.push(b'}');
    }
    out.push(b']');
    if let Some(next) = next {
        let _ = write!(out, ",\"before\":\"{next}\"");
    }
    out.extend_from_slice(b"}\n");
    out.into()
}
