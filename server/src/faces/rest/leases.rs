//! `/v3/leases`: what keys are bound to.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::LOCATION;
use http::request::Parts;
use http::{Response, StatusCode};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest,
};
use keyport_api::routes;
use keyport_openapi::endpoints::Resource;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::own_lease::OwnLease;
use super::{hold, once, shown};
use crate::calls::{Caller, Calls, KeyLease};
use crate::faces::fields::{self, Whole};
use crate::faces::kit;
use crate::faces::query::parameters_once;
use crate::faces::text::{GatewayBody, write_bytes};

const LEASES: &str = "/v3/leases/";

/// What somebody wants to be granted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    ttl: Whole,
    id: Option<Whole>,
}

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    resource: Resource,
    (parts, body): (&Parts, Bytes),
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    match resource {
        Resource::LeaseGrant if holds(parts)? => held(calls, caller, parts, &body, stop).await,
        Resource::LeaseGrant => grant(calls, caller, parts, &body).await,
        Resource::Lease => show(calls, caller, parts).await,
        Resource::LeaseKeepAlive => {
            let id = id(parts)?;
            let ttl = calls.lease.keep_alive(caller, id).await?;
            Ok(shown::json(format!("{{\"id\":\"{id}\",\"ttl\":\"{ttl}\"}}\n")))
        }
        Resource::LeaseRevoke => {
            let answer = calls.lease.lease_revoke(caller, LeaseRevokeRequest { id: id(parts)? }).await?;
            let mut response = shown::nothing();
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
    Ok(shown::json(out))
}

/// Whether it is for as long as the answer is read.
fn holds(parts: &Parts) -> Result<bool, Failure> {
    for given in parameters_once(parts.uri.query().unwrap_or_default())? {
        match &*given.name {
            "hold" | "unnamed" => drop(given.flag()?),
            _ => given.unknown()?,
        }
    }
    Ok(hold::is_asked_for(parts))
}

/// A lease that lasts as long as the answer is read.
async fn held(
    calls: &Calls,
    caller: &Caller,
    parts: &Parts,
    body: &Bytes,
    stop: CancellationToken,
) -> Result<Response<GatewayBody>, Failure> {
    let body = if body.is_empty() { Bytes::from(format!("{{\"ttl\":{}}}", hold::TTL)) } else { body.clone() };
    let granted = granted(calls, caller, parts, &body).await?;
    let lease = KeyLease { id: granted.id, ttl: granted.ttl, is_new: true };
    let told = told(&granted);
    Ok(hold::stream(parts, stop, OwnLease::of(calls, caller, lease), None, async { Ok(told.into()) }))
}

async fn granted(calls: &Calls, caller: &Caller, parts: &Parts, body: &Bytes) -> Result<LeaseGrantResponse, Failure> {
    let wish: Wish = fields::read(body)?;
    let Whole(ttl @ 1..) = wish.ttl else {
        return Err(Failure::Malformed("ttl is not a number of seconds".into()));
    };
    let id = match wish.id {
        None => {
            once::refuse(&parts.headers, "a lease that is given an id is granted once")?;
            0
        }
        Some(Whole(id @ 1..)) => id,
        Some(_) => return Err(Failure::Malformed("id is not the id of a lease".into())),
    };
    Ok(calls.lease.lease_grant(caller, LeaseGrantRequest { ttl, id }).await?)
}

async fn grant(calls: &Calls, caller: &Caller, parts: &Parts, body: &Bytes) -> Result<Response<GatewayBody>, Failure> {
    let granted = granted(calls, caller, parts, body).await?;
    let mut response = shown::json(told(&granted));
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
    Ok(shown::json(out))
}

/// As the path has it: digits, or hexadecimal digits behind `0x`.
fn id(parts: &Parts) -> Result<i64, Failure> {
    let path = routes::canonical(parts.uri.path()).unwrap_or_default();
    let text = path.strip_prefix(LEASES).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    kit::lease_id(text).ok_or_else(|| Failure::Malformed(format!("{text} is not the id of a lease")))
}

fn told(granted: &LeaseGrantResponse) -> String {
    format!("{{\"id\":\"{}\",\"ttl\":\"{}\"}}\n", granted.id, granted.ttl)
}
