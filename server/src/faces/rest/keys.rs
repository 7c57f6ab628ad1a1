//! `/v3/keys`: a key is a path, its value is the body, and HTTP's own words say the rest: `ETag`, `If-Match`, `Range`, 404.
//!
//! What a request wants is read once ([`ask`]); what it says the key has to be for that ([`condition`]) becomes the guard of a
//! transaction, so that looking and writing are one.

mod add;
mod ask;
mod change;
mod condition;
mod cursor;
mod follow;
mod get;
mod history;
mod list;
mod patch;
mod put;
mod remove;
mod remove_all;
mod same;
mod swap;
mod turns;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, Uri};
use keyport_openapi::endpoints::Resource;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::hold;
use crate::calls::{Caller, Calls};
use crate::faces::text::GatewayBody;
use ask::Ask;
use turns::Turns;

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    calls: Calls,
    /// What a value may have, if only the key is short enough.
    max_value_bytes: usize,
    turns: Turns,
    stop: CancellationToken,
}

impl Keys {
    pub(super) fn new(calls: Calls, max_value_bytes: usize, stop: CancellationToken) -> Keys {
        Keys { calls, max_value_bytes, turns: Turns::new(), stop }
    }

    /// Where the stream of events is that a request asks for; none for one that asks for what there is.
    pub(super) fn stream_of(resource: Resource, parts: &Parts) -> Option<Result<Uri, Failure>> {
        let may_follow = matches!(resource, Resource::Key | Resource::Keys);
        (may_follow && follow::is_asked_for(parts)).then(|| follow::stream_of(resource, parts))
    }

    /// Where the changes are of a key or several.
    pub(super) fn changes_of(resource: Resource, parts: &Parts) -> Result<Uri, Failure> {
        follow::stream_of(resource, parts)
    }

    /// Answers what asks for a key.
    pub(super) async fn one(
        &self,
        caller: &Caller,
        resource: Resource,
        parts: &Parts,
        body: Bytes,
    ) -> Result<Response<GatewayBody>, Failure> {
        let (calls, headers) = (&self.calls, &parts.headers);
        let ask = Ask::read(resource, parts)?;
        let looks_first = matches!(resource, Resource::KeyPatch | Resource::KeyAdd);
        let _turn = if looks_first { Some(self.turns.of(&ask.key).await) } else { None };
        match resource {
            Resource::KeyPut if hold::is_asked_for(parts) => {
                Box::pin(put::hold(calls, caller, parts, (ask, body), self.stop.clone())).await
            }
            Resource::KeyPut => put::answer(calls, caller, parts, ask, body).await,
            Resource::KeyPatch => {
                Box::pin(patch::answer(calls, caller, headers, ask, body, self.max_value_bytes)).await
            }
            Resource::KeyAdd => Box::pin(add::answer(calls, caller, headers, ask, body)).await,
            Resource::KeyDelete => Box::pin(remove::answer(calls, caller, ask)).await,
            Resource::KeyHistory => Box::pin(history::answer(calls, caller, parts, ask)).await,
            _ => get::answer(calls, caller, parts, ask).await,
        }
    }

    /// Answers what asks for several.
    pub(super) async fn several(
        &self,
        caller: &Caller,
        resource: Resource,
        parts: &Parts,
    ) -> Result<Response<GatewayBody>, Failure> {
        match resource {
            Resource::KeysDelete => remove_all::answer(&self.calls, caller, parts).await,
            _ => list::answer(&self.calls, caller, parts).await,
        }
    }
}
