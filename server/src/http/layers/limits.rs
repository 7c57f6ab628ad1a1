//! How large a request may be, and how many are answered at once.
//!
//! What is too large is refused by its announced length before a byte of it is read; without one, when it has grown too
//! large. Calls beyond the bound are refused at once, not queued: their clients know best when to come again.

use super::super::ResponseBody;
use super::super::call::{Call, Handler, Protocol};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Response, StatusCode};
use keyport_api::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tonic::Status;

/// Calls answered at once. Far above what two cores can do in the time that clients wait.
const MAX_IN_FLIGHT: usize = 65_536;

/// Unary calls that wait for other clients, for as long as these like. They do not count.
const WAITING: [&str; 4] =
    ["/v3lockpb.Lock/Lock", "/v3electionpb.Election/Campaign", "/v3/lock/lock", "/v3/election/campaign"];

/// Bodies that never end, held to a limit message by message where they are read.
const ENDLESS: [&str; 6] = [
    "/v3/watch",
    "/v3/lease/keepalive",
    "/v3beta/watch",
    "/v3beta/lease/keepalive",
    "/v3alpha/watch",
    "/v3alpha/lease/keepalive",
];

pub(crate) struct Limits<S> {
    inner: S,
    /// Of a gRPC message.
    message: usize,
    /// Of any other body.
    body: u64,
    in_flight: AtomicUsize,
    max_in_flight: usize,
}

impl<S> Limits<S> {
    /// `message` is the largest gRPC message. JSON of the same content has a third more for base64, and room for white
    /// space and names around small values.
    pub(crate) fn new(inner: S, message: usize) -> Limits<S> {
        let body = (message as u64).saturating_mul(2).saturating_add(64 * 1024);
        Limits { inner, message, body, in_flight: AtomicUsize::new(0), max_in_flight: MAX_IN_FLIGHT }
    }

    #[cfg(test)]
    pub(crate) fn at_most(mut self, calls: usize) -> Limits<S> {
        self.max_in_flight = calls;
        self
    }
}

impl<S: Handler> Handler for Limits<S> {
    type Body = S::Body;

    async fn handle<'a>(&'a self, mut call: Call<'a>) -> Response<ResponseBody<S::Body>> {
        match call.protocol {
            Protocol::Grpc => call.request.body_mut().limit_messages(self.message, call.method),
            // Its text form is base64; the messages inside are checked when they are decoded.
            Protocol::GrpcWeb => {}
            Protocol::Http if ENDLESS.contains(&call.request.uri().path()) => {}
            Protocol::Http => {
                if let Some(size) = announced(&call).filter(|size| *size > self.body) {
                    return too_large(&call, size, self.message);
                }
                call.request.body_mut().limit_bytes(self.body);
            }
        }
        if WAITING.contains(&call.request.uri().path()) {
            return self.inner.handle(call).await;
        }
        let _slot = Slot(&self.in_flight);
        if self.in_flight.fetch_add(1, Relaxed) >= self.max_in_flight {
            return super::refusal(call.protocol, Error::RequestTooManyRequests.into());
        }
        self.inner.handle(call).await
    }
}

/// Gives back a place, however the call ends.
struct Slot<'a>(&'a AtomicUsize);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn announced(call: &Call<'_>) -> Option<u64> {
    call.request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large<B>(call: &Call<'_>, size: u64, limit: usize) -> Response<ResponseBody<B>> {
    let path = call.request.uri().path();
    if crate::faces::json::owns(path) {
        // The gateway's callers know the limit by what gRPC says of it.
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        return super::json(&Status::from(Error::MessageTooLarge { size, limit }));
    }
    let body = r#"{"type":"about:blank","title":"Payload Too Large","status":413}"#;
    super::typed(StatusCode::PAYLOAD_TOO_LARGE, HeaderValue::from_static("application/problem+json"), body)
}

#[cfg(test)]
mod tests {
    use super::super::super::RequestBody;
    use super::super::super::call::ConnInfo;
    use super::*;
    use crate::net::Face;
    use futures_util::FutureExt as _;
    use http::Request;
    use std::time::Instant;
    use tokio::sync::Notify;

    /// Answers when told to.
    struct Gate(Notify);

    impl Handler for Gate {
        type Body = http_body_util::Empty<bytes::Bytes>;

        async fn handle<'a>(&'a self, _: Call<'a>) -> Response<ResponseBody<Self::Body>> {
            self.0.notified().await;
            Response::new(ResponseBody::whole("done"))
        }
    }

    const CONN: ConnInfo = ConnInfo { remote: None, face: Face::All };

    fn call(path: &'static str, protocol: Protocol) -> Call<'static> {
        let request = Request::builder().uri(path).body(RequestBody::empty()).unwrap();
        Call { request, conn: &CONN, protocol, method: None, started: Instant::now() }
    }

    #[tokio::test]
    async fn calls_beyond_the_bound_are_refused_at_once() {
        let limits = Limits::new(Gate(Notify::new()), 100).at_most(1);
        let mut first = Box::pin(limits.handle(call("/v3/kv/put", Protocol::Http)));
        assert!((&mut first).now_or_never().is_none());
        let json = limits.handle(call("/v3/kv/put", Protocol::Http)).await;
        assert_eq!(json.status(), StatusCode::TOO_MANY_REQUESTS);
        let grpc = limits.handle(call("/etcdserverpb.KV/Put", Protocol::Grpc)).await;
        assert_eq!((grpc.status(), &grpc.headers()["grpc-status"]), (StatusCode::OK, &HeaderValue::from_static("8")));
        // Waiting for a lock is not work.
        let mut lock = Box::pin(limits.handle(call("/v3lockpb.Lock/Lock", Protocol::Grpc)));
        assert!((&mut lock).now_or_never().is_none());
        // A caller that goes away gives its place back.
        drop(first);
        let mut second = Box::pin(limits.handle(call("/v3/kv/put", Protocol::Http)));
        assert!((&mut second).now_or_never().is_none());
        limits.inner.0.notify_waiters();
        assert_eq!((second.await.status(), lock.await.status()), (StatusCode::OK, StatusCode::OK));
        assert_eq!(limits.in_flight.load(Relaxed), 0);
    }
}
