//! `X-Request-Id`: a client's own comes back to it, and goes into the log; failures that have none get one.
//!
//! Making ids for the millions of calls that go well would cost more than it could ever tell.

use super::super::ResponseBody;
use super::super::call::{Call, Handler, Protocol};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ones are not repeated: they would be somebody's way to fill our log.
const MAX_LEN: usize = 128;

pub(crate) struct RequestId<S>(pub(crate) S);

impl<S: Handler> Handler for RequestId<S> {
    type Body = S::Body;

    async fn handle<'a>(&'a self, call: Call<'a>) -> Response<ResponseBody<S::Body>> {
        let given = of(call.request.headers()).cloned();
        let plain = call.protocol == Protocol::Http;
        let mut response = self.0.handle(call).await;
        if let Some(id) = given {
            response.headers_mut().insert(X_REQUEST_ID, id);
        } else if plain && (response.status().is_client_error() || response.status().is_server_error()) {
            response.headers_mut().insert(X_REQUEST_ID, fresh());
        }
        response
    }
}

/// The id that the client gave.
pub(super) fn of(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(X_REQUEST_ID).filter(|id| id.len() <= MAX_LEN && id.to_str().is_ok())
}

/// Unlike any other of this process, and hardly ever like another's.
fn fresh() -> HeaderValue {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(rand::random()));
    let id = format!("{:016x}", NEXT.fetch_add(1, Relaxed));
    HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("0"))
}
