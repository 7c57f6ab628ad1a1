//! A full database: what would make it grow in any case is refused before its body is read.
//!
//! Whether a transaction would, only its body tells; that is found out where it is applied, as everything is once more.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use keyport_api::error::Error;
use keyport_api::methods::Method;

use super::super::Call;
use super::super::refusal::refusal;
use super::Check;

/// See the module's text.
#[derive(Clone)]
pub struct Quota(Arc<dyn Fn() -> bool + Send + Sync>);

impl Quota {
    /// `is_full` is asked for every call that writes keys or leases, and has to be quick.
    pub fn new(is_full: impl Fn() -> bool + Send + Sync + 'static) -> Quota {
        Quota(Arc::new(is_full))
    }
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Quota")
    }
}

impl Check for Quota {
    fn answer<B, RB: From<Bytes>>(&self, _: &Request<B>, call: Option<&Call>) -> Option<Response<RB>> {
        let call = call?;
        let grows = call.method.is_some_and(|method| method.info().grows() && method != Method::Txn);
        (grows && (self.0)()).then(|| refusal(call.protocol, &Error::NoSpace.into()))
    }
}
