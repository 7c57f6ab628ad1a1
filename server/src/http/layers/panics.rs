//! A handler that panics answers "internal error"; its connection and all others go on.

use super::super::ResponseBody;
use super::super::call::{Call, Handler};
use futures_util::FutureExt as _;
use http::Response;
use std::panic::AssertUnwindSafe;
use tonic::Status;

pub(crate) struct CatchPanic<S>(pub(crate) S);

impl<S: Handler> Handler for CatchPanic<S> {
    type Body = S::Body;

    async fn handle<'a>(&'a self, call: Call<'a>) -> Response<ResponseBody<S::Body>> {
        let protocol = call.protocol;
        // What the handler shares is behind locks that do not poison, and every write is applied elsewhere.
        match AssertUnwindSafe(self.0.handle(call)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => super::refusal(protocol, Status::internal("internal error")),
        }
    }
}
