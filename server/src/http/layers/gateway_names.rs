//! Certificates name nobody on the JSON gateway: a caller who would take himself for that somebody is told so, as etcd does.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::super::Call;
use super::super::plain::text;
use super::Check;

const GATEWAY: &str = "/v3/";
const IGNORED: &str =
    "CommonName of client sending a request against gateway will be ignored and not used as expected\n";

/// See the module's text.
#[derive(Clone)]
pub struct GatewayNames(Arc<dyn Fn() -> bool + Send + Sync>);

impl GatewayNames {
    /// `matter` says whether somebody's name decides what he may, and has to be quick.
    pub fn new(matter: impl Fn() -> bool + Send + Sync + 'static) -> GatewayNames {
        GatewayNames(Arc::new(matter))
    }
}

impl fmt::Debug for GatewayNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayNames")
    }
}

impl Check for GatewayNames {
    fn answer<B, RB: From<Bytes>>(&self, request: &Request<B>, call: Option<&Call>) -> Option<Response<RB>> {
        let is_named = call?.connection.common_name().is_some_and(|name| !name.is_empty());
        let refused = is_named && request.uri().path().starts_with(GATEWAY) && (self.0)();
        refused.then(|| text(StatusCode::BAD_REQUEST, IGNORED))
    }
}
