//! What faces share.

use http::Extensions;
use keyport_api::error::Error;

use crate::calls::{Caller, Calls, Claims, Identified};
use crate::http::Call;
use crate::http::layers::Identify;

/// Who asks, as the stack found out.
///
/// # Errors
/// `Unidentified`, for a request that did not come through the stack.
pub(super) fn caller(extensions: &Extensions) -> Result<Caller, Error> {
    Call::get(extensions).and_then(|call| call.caller.clone()).ok_or(Error::Unidentified)
}

impl Identify for Calls {
    fn identify(&self, claims: &Claims) -> Identified {
        Calls::identify(self, claims)
    }
}
