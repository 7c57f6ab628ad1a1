//! Who calls. Open for now: everybody is nobody in particular, and may do everything.

use super::super::ResponseBody;
use super::super::call::{Call, Handler};
use http::{Extensions, Response};

/// The caller, as an extension of the request. Not there when nothing is known, which spares an allocation a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthInfo {
    /// The user's name; empty when nobody in particular.
    pub user: String,
    /// The revision of users and roles that the name was checked against.
    pub revision: u64,
}

impl AuthInfo {
    /// Who made the request.
    pub fn of(extensions: &Extensions) -> Option<&AuthInfo> {
        extensions.get()
    }
}

pub(crate) struct Identity<S>(pub(crate) S);

impl<S: Handler> Handler for Identity<S> {
    type Body = S::Body;

    fn handle<'a>(&'a self, call: Call<'a>) -> impl Future<Output = Response<ResponseBody<S::Body>>> + Send + 'a {
        self.0.handle(call)
    }
}
