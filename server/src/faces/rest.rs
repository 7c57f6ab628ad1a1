//! What there is, as resources: a thing is a path, what is known of it a body, and HTTP's own words say the rest.
//!
//! One folder or file for each kind of thing. All of them say no in the same way
//! ([`failure`]), and are made of the calls that all faces share.

mod address;
mod alarms;
mod failure;
mod hold;
mod keys;
mod leases;
mod lines;
mod live;
mod members;
mod once;
mod overview;
mod own_lease;
mod permissions;
mod roles;
mod shown;
mod statistics;
mod tag;
mod transactions;
mod users;
mod warnings;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, Uri};
use keyport_api::json::max_text_len;
use keyport_openapi::endpoints::Resource;
use tokio_util::sync::CancellationToken;

use super::kit;
use super::text::GatewayBody;
use crate::calls::{Caller, Calls};
use failure::Failure;
use keys::Keys;

/// Which folder or file a resource belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Alarms,
    Key,
    Keys,
    Leases,
    Lines,
    Members,
    Overview,
    Roles,
    Statistics,
    Transactions,
    Users,
    Warnings,
}

/// The resources. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    calls: Calls,
    keys: Keys,
    max_value_bytes: usize,
    stop: CancellationToken,
}

impl Rest {
    /// `max_value_bytes` is what a value may have, if only the key is short enough; `stop` ends every stream.
    pub(super) fn new(calls: Calls, max_value_bytes: usize, stop: CancellationToken) -> Rest {
        Rest { keys: Keys::new(calls.clone(), max_value_bytes, stop.clone()), calls, max_value_bytes, stop }
    }

    /// How many bytes the body may have that is a value.
    pub(super) fn max_value_bytes(&self) -> usize {
        self.max_value_bytes
    }

    /// How many bytes the body may have that has values in it.
    pub(super) fn max_document_bytes(&self) -> usize {
        max_text_len(self.max_value_bytes)
    }

    /// Where the stream of events is that a request asks for; none for one that asks for what there is.
    pub(super) fn stream_of(resource: Resource, parts: &Parts) -> Option<Result<Uri, Box<Response<GatewayBody>>>> {
        let asked = Keys::stream_of(resource, parts)?;
        Some(asked.map_err(|failure| Box::new(failure.response(&parts.headers))))
    }

    /// Where the changes are of a key or several.
    pub(super) fn changes_of(resource: Resource, parts: &Parts) -> Result<Uri, Box<Response<GatewayBody>>> {
        Keys::changes_of(resource, parts).map_err(|failure| Box::new(failure.response(&parts.headers)))
    }

    /// Answers what asks for a thing of such a kind.
    pub(super) async fn answer(
        &self,
        kind: Kind,
        resource: Resource,
        parts: &Parts,
        body: Bytes,
    ) -> Response<GatewayBody> {
        let answered = match kit::caller(&parts.extensions) {
            Ok(caller) => self.serve(kind, &caller, resource, parts, body).await,
            Err(error) => Err(error.into()),
        };
        answered.unwrap_or_else(|failure| failure.response(&parts.headers))
    }

    /// Keys are asked for all day: what is larger than they are has a box of its own.
    async fn serve(
        &self,
        kind: Kind,
        caller: &Caller,
        resource: Resource,
        parts: &Parts,
        body: Bytes,
    ) -> Result<Response<GatewayBody>, Failure> {
        let calls = &self.calls;
        match kind {
            Kind::Key => self.keys.one(caller, resource, parts, body).await,
            Kind::Keys => Box::pin(self.keys.several(caller, resource, parts)).await,
            Kind::Alarms => Box::pin(alarms::answer(calls, caller, resource, parts)).await,
            Kind::Members => Box::pin(members::answer(calls, caller, resource, parts, body)).await,
            Kind::Roles => Box::pin(roles::answer(calls, caller, resource, parts, body)).await,
            Kind::Users => Box::pin(users::answer(calls, caller, resource, parts, body)).await,
            Kind::Overview => Box::pin(overview::answer(calls, caller, parts, self.stop.clone())).await,
            Kind::Statistics => Box::pin(statistics::answer(calls, caller, parts, self.stop.clone())).await,
            Kind::Warnings => warnings::answer(calls, caller, parts, self.stop.clone()),
            Kind::Transactions => Box::pin(transactions::answer(calls, caller, resource, &parts.headers, body)).await,
            Kind::Leases => Box::pin(leases::answer(calls, caller, resource, (parts, body), self.stop.clone())).await,
            Kind::Lines => Box::pin(lines::answer(calls, caller, resource, (parts, body), self.stop.clone())).await,
        }
    }
}
