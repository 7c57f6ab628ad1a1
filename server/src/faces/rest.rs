//! Keys and leases as resources. `/v3/keys/{key}`: a key is a path, its value is the body, and HTTP's own words say the rest: `ETag`, `If-Match`,
//! `Range`, 404.
//!
//! What a request wants is read once ([`ask`]); what it says the key has to be for that ([`condition`]) becomes the guard of a
//! transaction, so that looking and writing are one.

mod add;
mod address;
mod ask;
mod change;
mod condition;
mod cursor;
mod failure;
mod follow;
mod get;
mod leases;
mod list;
mod patch;
mod put;
mod remove;
mod remove_all;
mod shown;
mod swap;
mod turns;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, Uri};
use keyport_openapi::endpoints::Resource;

use super::kit;
use super::text::GatewayBody;
use crate::calls::{Caller, Calls};
use ask::Ask;
use failure::Failure;
use turns::Turns;

/// The resources. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    calls: Calls,
    /// What a value may have, if only the key is short enough.
    max_value_bytes: usize,
    turns: Turns,
}

impl Rest {
    pub(super) fn new(calls: Calls, max_value_bytes: usize) -> Rest {
        Rest { calls, max_value_bytes, turns: Turns::new() }
    }

    /// How many bytes a body may have.
    pub(super) fn max_body_bytes(&self) -> usize {
        self.max_value_bytes
    }

    /// Where the stream of events is that a request asks for; none for one that asks for what there is.
    pub(super) fn stream_of(resource: Resource, parts: &Parts) -> Option<Result<Uri, Box<Response<GatewayBody>>>> {
        let may_follow = matches!(resource, Resource::Key | Resource::Keys);
        let asked = may_follow && follow::is_asked_for(parts);
        asked.then(|| follow::stream_of(resource, parts).map_err(|failure| Box::new(failure.response(&parts.headers))))
    }

    /// Answers what asks for a key.
    pub(super) async fn key(&self, resource: Resource, parts: &Parts, body: Bytes) -> Response<GatewayBody> {
        let answered = match Ask::read(resource, parts).and_then(|ask| Ok((kit::caller(&parts.extensions)?, ask))) {
            Ok((caller, ask)) => self.serve(&caller, resource, parts, ask, body).await,
            Err(failure) => Err(failure),
        };
        answered.unwrap_or_else(|failure| failure.response(&parts.headers))
    }

    async fn serve(
        &self,
        caller: &Caller,
        resource: Resource,
        parts: &Parts,
        ask: Ask,
        body: Bytes,
    ) -> Result<Response<GatewayBody>, Failure> {
        let (calls, headers) = (&self.calls, &parts.headers);
        let looks_first = matches!(resource, Resource::KeyPatch | Resource::KeyAdd);
        let _turn = if looks_first { Some(self.turns.of(&ask.key).await) } else { None };
        match resource {
            Resource::KeyPut => put::answer(calls, caller, headers, ask, body).await,
            Resource::KeyPatch => {
                Box::pin(patch::answer(calls, caller, headers, ask, body, self.max_value_bytes)).await
            }
            Resource::KeyAdd => Box::pin(add::answer(calls, caller, headers, ask, body)).await,
            Resource::KeyDelete => remove::answer(calls, caller, ask).await,
            _ => get::answer(calls, caller, parts, ask).await,
        }
    }

    /// Answers what asks for leases.
    pub(super) async fn leases(&self, resource: Resource, parts: &Parts, body: Bytes) -> Response<GatewayBody> {
        let answered = match kit::caller(&parts.extensions) {
            Ok(caller) => leases::answer(&self.calls, &caller, resource, parts, body).await,
            Err(error) => Err(error.into()),
        };
        answered.unwrap_or_else(|failure| failure.response(&parts.headers))
    }

    /// Answers what asks for several.
    pub(super) async fn keys(&self, resource: Resource, parts: &Parts) -> Response<GatewayBody> {
        let answered = match kit::caller(&parts.extensions) {
            Ok(caller) if resource == Resource::KeysDelete => remove_all::answer(&self.calls, &caller, parts).await,
            Ok(caller) => list::answer(&self.calls, &caller, parts).await,
            Err(error) => Err(error.into()),
        };
        answered.unwrap_or_else(|failure| failure.response(&parts.headers))
    }
}
