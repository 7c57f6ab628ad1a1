//! `/v3/leases`: what keys are bound to.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::LOCATION;
use http::request::Parts;
use http::{Response, StatusCode};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{LeaseGrantRequest, LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest};
use keyport_api::routes;
use keyport_openapi::endpoints::Resource;
use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;
use super::shown;
use crate::calls::{Caller, Calls};
use crate::faces::kit;
use crate::faces::query::parameters_once;
use crate::faces::text::{GatewayBody, write_bytes};

const LEASES: &str = "/v3/leases/";

/// What somebody wants to be granted. Numbers may be texts of digits: some clients cannot write larger ones otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    ttl: Value,
    #[serde(default)]
    id: Value,
}

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    resource: Resource,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    match resource {
        Resource::LeaseGrant => grant(calls, caller, &body).await,
        Resource::Lease => show(calls, caller, parts).await,
        Resource::LeaseKeepAlive => {
            let id = id(parts)?;
            let ttl = calls.lease.keep_alive(caller, id).await?;
            Ok(document(format!("{{\"id\":\"{id}\",\"ttl\":\"{ttl}\"}}\n")))
        }
        Resource::LeaseRevoke => {
            let answer = calls.lease.lease_revoke(caller, LeaseRevokeRequest { id: id(parts)? }).await?;
            let mut response = Response::new(GatewayBody::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(shown::REVISION, answer.header.map_or(0, |header| header.revision).into());
            Ok(response)
        }
        _ => list(calls, caller).await,
    }
}

async fn list(calls: &Calls, caller: &Caller) -> Result<Response<GatewayBody>, Failure> {
    let leases = calls.lease.lease_leases(caller, LeaseLeasesRequest {}).await?.leases;
    let mut out = String::from("{\"leases\":[");
    for (at, lease) in leases.iter().enumerate() {
        // A string takes everything.
        let _ = write!(out, "{}{{\"id\":\"{}\"}}", if at > 0 { "," } else { "" }, lease.id);
    }
    out.push_str("]}\n");
    Ok(document(out))
}

async fn grant(calls: &Calls, caller: &Caller, body: &Bytes) -> Result<Response<GatewayBody>, Failure> {
    let wish: Wish = serde_json::from_slice(body).map_err(|error| Failure::Malformed(error.to_string()))?;
    let ttl = whole(&wish.ttl).filter(|ttl| *ttl > 0);
    let ttl = ttl.ok_or_else(|| Failure::Malformed("ttl is not a number of seconds".into()))?;
    let id = match &wish.id {
        Value::Null => 0,
        id => whole(id).filter(|id| *id > 0).ok_or_else(|| Failure::Malformed("id is not the id of a lease".into()))?,
    };
    let granted = calls.lease.lease_grant(caller, LeaseGrantRequest { ttl, id }).await?;
    let mut response = document(format!("{{\"id\":\"{}\",\"ttl\":\"{}\"}}\n", granted.id, granted.ttl));
    *response.status_mut() = StatusCode::CREATED;
    response.headers_mut().insert(LOCATION, kit::header(&format!("{LEASES}{}", granted.id)));
    Ok(response)
}

async fn show(calls: &Calls, caller: &Caller, parts: &Parts) -> Result<Response<GatewayBody>, Failure> {
    let mut keys = false;
    for given in parameters_once(parts.uri.query().unwrap_or_default())? {
        match &*given.name {
            "keys" => keys = given.flag()?,
            _ => given.unknown()?,
        }
    }
    let id = id(parts)?;
    let found = calls.lease.lease_time_to_live(caller, LeaseTimeToLiveRequest { id, keys }).await?;
    if found.ttl < 0 {
        return Err(Error::LeaseNotFound.into());
    }
    let mut out = Vec::new();
    let head = format!("{{\"id\":\"{id}\",\"ttl\":\"{}\",\"granted_ttl\":\"{}\"", found.ttl, found.granted_ttl);
    out.extend_from_slice(head.as_bytes());
    if keys {
        out.extend_from_slice(b",\"keys\":[");
        for (at, key) in found.keys.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",{" } else { b"{" });
            write_bytes(&mut out, "key", key);
            out.push(b'}');
        }
        out.push(b']');
    }
    out.extend_from_slice(b"}\n");
    Ok(document(out))
}

/// As the path has it: digits, or hexadecimal digits behind `0x`.
fn id(parts: &Parts) -> Result<i64, Failure> {
    let path = routes::canonical(parts.uri.path()).unwrap_or_default();
    let text = path.strip_prefix(LEASES).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let id = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    id.ok().filter(|id| *id > 0).ok_or_else(|| Failure::Malformed(format!("{text} is not the id of a lease")))
}

fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn document(body: impl Into<Bytes>) -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::Full(body.into()));
    shown::typed(response.headers_mut());
    response
}
