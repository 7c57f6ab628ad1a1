//! Keys as resources, `/v3/keys/{key}`: a key is a path, its value is the body, and HTTP's own words say the rest: `ETag`, `If-Match`,
//! `Range`, 404.
//!
//! What a request wants is read once ([`ask`]); what it says the key has to be for that ([`condition`]) becomes the guard of a
//! transaction, so that looking and writing are one.

mod address;
mod ask;
mod condition;
mod cursor;
mod failure;
mod get;
mod list;
mod put;
mod remove;
mod shown;
mod swap;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use keyport_openapi::endpoints::Resource;

use super::kit;
use super::text::GatewayBody;
use crate::calls::{Caller, Calls};
use ask::Ask;
use failure::Failure;

/// Answers what asks for a key.
pub(super) async fn key(calls: &Calls, resource: Resource, parts: &Parts, body: Bytes) -> Response<GatewayBody> {
    let asked = Ask::read(resource, parts).and_then(|ask| Ok((kit::caller(&parts.extensions)?, ask)));
    let answered = match asked {
        Ok((caller, ask)) => serve(calls, &caller, resource, parts, ask, body).await,
        Err(failure) => Err(failure),
    };
    answered.unwrap_or_else(|failure| failure.response(&parts.headers))
}

/// Answers what asks for several.
pub(super) async fn keys(calls: &Calls, parts: &Parts) -> Response<GatewayBody> {
    let answered = match kit::caller(&parts.extensions) {
        Ok(caller) => list::answer(calls, &caller, parts).await,
        Err(error) => Err(error.into()),
    };
    answered.unwrap_or_else(|failure| failure.response(&parts.headers))
}

async fn serve(
    calls: &Calls,
    caller: &Caller,
    resource: Resource,
    parts: &Parts,
    ask: Ask,
    body: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    match resource {
        Resource::KeyPut => put::answer(calls, caller, &parts.headers, ask, body).await,
        Resource::KeyDelete => remove::answer(calls, caller, ask).await,
        _ => get::answer(calls, caller, &parts.headers, ask).await,
    }
}
