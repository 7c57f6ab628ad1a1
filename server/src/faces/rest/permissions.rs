//! `/v3/users/{name}/permissions`: what a user may, by keys, and whether he may do it with some.

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use keyport_storage::KeyRange;
use serde_json::json;

use super::failure::Failure;
use super::{roles, shown};
use crate::calls::{Caller, Calls, Permissions};
use crate::faces::query::parameters;
use crate::faces::text::{GatewayBody, write_bytes};

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    name: String,
    parts: &Parts,
) -> Result<Response<GatewayBody>, Failure> {
    let query = parts.uri.query().unwrap_or_default();
    let named = ["key", "prefix", "from", "to"];
    let asks = parameters(query).any(|given| named.contains(&given.name.trim_end_matches("_b64")));
    let wish = roles::of_query(query)?;
    let asked = if asks { Some(wish.keys()?) } else { None };
    let range = asked.map(|(key, range_end)| KeyRange::new(key, range_end));
    let permissions = calls.auth.permissions(caller, name.clone(), range).await?;
    Ok(shown::json(document(&name, &permissions)))
}

fn document(name: &str, permissions: &Permissions) -> Bytes {
    let Permissions { roles, read, write, may_read, may_write } = permissions;
    let mut out = vec![b'{'];
    write_bytes(&mut out, "name", name.as_bytes());
    out.extend_from_slice(format!(",\"roles\":{}", json!(roles)).as_bytes());
    write_ranges(&mut out, "read", read);
    write_ranges(&mut out, "write", write);
    for (name, may) in [("may_read", may_read), ("may_write", may_write)] {
        out.extend(may.iter().flat_map(|may| format!(",\"{name}\":{may}").into_bytes()));
    }
    out.extend_from_slice(b"}\n");
    out.into()
}

fn write_ranges(out: &mut Vec<u8>, name: &str, ranges: &[KeyRange]) {
    out.extend_from_slice(format!(",\"{name}\":[").as_bytes());
    for (at, range) in ranges.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{" } else { b"{" });
        let (key, range_end) = range.clone().into_pair();
        roles::write_range(out, &key, &range_end);
        out.push(b'}');
    }
    out.push(b']');
}
