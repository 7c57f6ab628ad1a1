//! Whether an address has asked too often of late: found out before anything is looked up for it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method as Verb, Request, Response};
use keyport_api::methods::Method;
use keyport_api::routes;
use keyport_openapi::endpoints::Resource;

use super::super::refusal::refusal;
use super::super::{Call, Protocol};
use super::Check;
use crate::net::Face;
use crate::rates::{AddressRate, is_exempt};

/// See the module's text. Without a rate it does nothing.
#[derive(Clone, Debug)]
pub struct Rate(pub(crate) Option<Arc<AddressRate>>);

impl Check for Rate {
    fn answer<B, RB: From<Bytes>>(&self, request: &Request<B>, call: Option<&Call>) -> Option<Response<RB>> {
        let (rate, call) = (self.0.as_ref()?, call?);
        // What comes over a unix socket comes from this machine.
        let from = call.connection.remote?.ip();
        if call.connection.face == Face::Metrics || is_spared(call, request) {
            return None;
        }
        rate.count(from).err().map(|error| refusal(call.protocol, &error.into()))
    }
}

/// Whether somebody looks after this member, or logs in, whose tries are counted by themselves.
fn is_spared<B>(call: &Call, request: &Request<B>) -> bool {
    match call.method {
        Some(method) => is_exempt(method),
        None if call.protocol == Protocol::Http => match request.uri().path() {
            "/health" | "/metrics" | "/version" => true,
            path if path.starts_with("/livez") || path.starts_with("/readyz") => true,
            path => is_spared_resource(request.method(), path),
        },
        None => false,
    }
}

/// The same calls, by resources.
fn is_spared_resource(verb: &Verb, path: &str) -> bool {
    let resource = routes::canonical(path).and_then(|path| Resource::find(verb.as_str(), &path));
    let method = match resource {
        Some(Resource::SessionBegin) => return true,
        Some(Resource::Leases) => Method::LeaseLeases,
        Some(Resource::Lease) => Method::LeaseTimeToLive,
        Some(Resource::LeaseGrant) => Method::LeaseGrant,
        Some(Resource::LeaseKeepAlive) => Method::LeaseKeepAlive,
        Some(Resource::LeaseRevoke) => Method::LeaseRevoke,
        Some(Resource::LockRelease) => Method::Unlock,
        Some(Resource::ElectionResign) => Method::Resign,
        Some(Resource::Members | Resource::Member) => Method::MemberList,
        Some(Resource::Authentication) => Method::AuthStatus,
        _ => return false,
    };
    is_exempt(method)
}
