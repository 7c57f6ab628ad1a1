//! `DELETE /v3/keys?prefix=…`: everything below a prefix, at once.

use bytes::Bytes;
use http::Response;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use keyport_api::etcdserverpb::DeleteRangeRequest;
use keyport_openapi::endpoints::{ListParameter, Resource};
use keyport_storage::KeyRange;

use crate::calls::{Caller, Calls};
use crate::faces::query::parameters_once;
use crate::faces::rest::failure::Failure;
use crate::faces::rest::shown;
use crate::faces::text::GatewayBody;

pub(super) async fn answer(calls: &Calls, caller: &Caller, parts: &Parts) -> Result<Response<GatewayBody>, Failure> {
    if [IF_MATCH, IF_NONE_MATCH].iter().any(|name| parts.headers.contains_key(name)) {
        let detail = "conditions are for one key: leave out If-Match and If-None-Match";
        return Err(Failure::Malformed(detail.into()));
    }
    let prefix = prefix(parts.uri.query().unwrap_or_default())?;
    let (key, range_end) = KeyRange::prefix(&prefix).into_pair();
    let request = DeleteRangeRequest { key, range_end, prev_kv: false };
    let reply = calls.kv.delete_range(caller, request).await?.reply;
    let document = format!("{{\"deleted\":\"{}\"}}\n", reply.deleted);
    let mut response = Response::new(GatewayBody::Full(document.into()));
    response.headers_mut().insert(shown::REVISION, reply.revision.into());
    shown::typed(response.headers_mut());
    Ok(response)
}

/// Nobody means all keys who says nothing.
fn prefix(query: &str) -> Result<Bytes, Failure> {
    let (mut prefix, mut all) = (Bytes::new(), false);
    for given in parameters_once(query)? {
        let taken = Resource::KeysDelete.info().parameters.iter().any(|parameter| parameter.name == given.name);
        let parameter = ListParameter::ALL.iter().find(|parameter| taken && parameter.info().name == given.name);
        match parameter {
            Some(ListParameter::Prefix | ListParameter::PrefixBase64) if !prefix.is_empty() => {
                return Err(Failure::Malformed("only one of prefix and prefix_b64 makes sense".into()));
            }
            Some(ListParameter::Prefix) => prefix = given.value.into(),
            Some(ListParameter::PrefixBase64) => prefix = given.base64()?.into(),
            Some(ListParameter::All) => all = given.flag()?,
            Some(_) | None => given.unknown()?,
        }
    }
    match (prefix.is_empty(), all) {
        (true, false) => Err(Failure::Malformed("no prefix: all=true removes all keys there are".into())),
        (false, true) => Err(Failure::Malformed("only one of prefix and all makes sense".into())),
        _ => Ok(prefix),
    }
}
