//! How large a request may be and how slowly it may come in, and how many are answered at once.
//!
//! What is too large is refused where it is read: by its announced length before a byte of it is; without one, when it has
//! grown too large. Where nobody reads it, it makes no difference. Calls beyond the bound are refused at once, not queued:
//! their clients know best when to come again.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use keyport_api::error::Error;
use keyport_api::methods::Method;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::super::refusal::refusal;
use super::super::{Call, Pace, Protocol, RequestBody};

/// Calls answered at once. Far above what two cores can do in the time that clients wait.
const MAX_IN_FLIGHT: usize = 65_536;

/// See the module's text. Counts over all services that one of it makes.
#[derive(Clone, Debug)]
pub struct LimitsLayer {
    /// Of a gRPC message.
    message: usize,
    /// Of any other body.
    body: u64,
    pace: Pace,
    in_flight: Arc<AtomicUsize>,
    max_in_flight: usize,
}

/// See [`LimitsLayer`].
#[derive(Clone, Debug)]
pub struct Limits<S> {
    inner: S,
    layer: LimitsLayer,
}

impl LimitsLayer {
    /// `message` is the largest gRPC message, in bytes; `pace` is for bodies that are needed as a whole.
    pub fn new(message: usize, pace: Pace) -> LimitsLayer {
        let body = keyport_api::json::max_text_len(message) as u64;
        LimitsLayer { message, body, pace, in_flight: Arc::default(), max_in_flight: MAX_IN_FLIGHT }
    }

    /// How many calls are answered at once.
    #[must_use]
    pub fn at_most(mut self, calls: usize) -> LimitsLayer {
        self.max_in_flight = calls;
        self
    }

    /// Holds the body to its limit and its pace while it is read.
    fn hold(&self, body: &mut RequestBody, protocol: Protocol, method: Option<Method>) {
        // How long the answer lasts does not matter. Requests that are a stream may pause, and need never end.
        let is_stream = method.is_some_and(|method| method.info().kind.client_streams());
        if !is_stream {
            body.keep_pace(self.pace);
        }
        match protocol {
            Protocol::Grpc => body.limit_messages(self.message),
            // Its text form is base64; the messages inside are checked when they are decoded.
            Protocol::GrpcWeb => {}
            // Each message is held to the limit where it is read.
            Protocol::Json if is_stream => {}
            Protocol::Json | Protocol::Http => body.limit_bytes(self.body),
        }
    }

    fn place(&self) -> Option<Place> {
        let place = Place(Arc::clone(&self.in_flight));
        (self.in_flight.fetch_add(1, Relaxed) < self.max_in_flight).then_some(place)
    }
}

impl<S> Layer<S> for LimitsLayer {
    type Service = Limits<S>;

    fn layer(&self, inner: S) -> Limits<S> {
        Limits { inner, layer: self.clone() }
    }
}

impl<S, RB> Service<Request<RequestBody>> for Limits<S>
where
    S: Service<Request<RequestBody>, Response = Response<RB>>,
    RB: From<Bytes>,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Limited<S::Future, Response<RB>>;

    super::ready_as_inner!();

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let call = Call::get(request.extensions());
        let (protocol, method) = call.map_or((Protocol::Http, None), |call| (call.protocol, call.method));
        // Waiting for others is not work.
        let is_work = !call.is_some_and(Call::is_endless);
        self.layer.hold(request.body_mut(), protocol, method);
        let place = if is_work { self.layer.place() } else { None };
        if is_work && place.is_none() {
            let refused = refusal(protocol, &Error::RequestTooManyRequests.into());
            return Limited { answer: super::Answer::now(refused), place: None };
        }
        Limited { answer: super::Answer::Later { answer: self.inner.call(request) }, place }
    }
}

/// Gives itself back, however the call ends.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

pin_project! {
    /// An answer under way.
    #[derive(Debug)]
    pub struct Limited<F, T> {
        #[pin]
        answer: super::Answer<F, T>,
        place: Option<Place>,
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for Limited<F, T> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().answer.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Connection;
    use super::*;
    use crate::net::Face;
    use futures_util::FutureExt as _;
    use http::{HeaderValue, StatusCode, Version};
    use http_body_util::Full;
    use std::convert::Infallible;
    use tokio::sync::Notify;
    use tower::service_fn;

    fn request(path: &'static str, grpc: bool) -> Request<RequestBody> {
        let request = Request::builder().method("POST").uri(path);
        let request =
            if grpc { request.version(Version::HTTP_2).header("content-type", "application/grpc") } else { request };
        let mut request = request.body(RequestBody::empty()).unwrap();
        let call = Call::of(&request, Arc::new(Connection::in_process(Face::All)));
        request.extensions_mut().insert(call);
        request
    }

    #[tokio::test]
    async fn calls_beyond_the_bound_are_refused_at_once() {
        let gate = Arc::new(Notify::new());
        let layer = LimitsLayer::new(100, Pace::default()).at_most(1);
        let waiting = Arc::clone(&gate);
        let mut limits = layer.layer(service_fn(move |_| {
            let gate = Arc::clone(&waiting);
            async move {
                gate.notified().await;
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            }
        }));
        let mut first = Box::pin(limits.call(request("/v3/kv/put", false)));
        assert!((&mut first).now_or_never().is_none());
        let json = limits.call(request("/v3/kv/put", false)).await.unwrap();
        assert_eq!(json.status(), StatusCode::TOO_MANY_REQUESTS);
        let grpc = limits.call(request("/etcdserverpb.KV/Put", true)).await.unwrap();
        assert_eq!((grpc.status(), &grpc.headers()["grpc-status"]), (StatusCode::OK, &HeaderValue::from_static("8")));
        // Waiting for a lock is not work.
        let mut lock = Box::pin(limits.call(request("/v3lockpb.Lock/Lock", true)));
        assert!((&mut lock).now_or_never().is_none());
        // A caller that goes away gives its place back.
        drop(first);
        let mut second = Box::pin(limits.call(request("/v3/kv/put", false)));
        assert!((&mut second).now_or_never().is_none());
        gate.notify_waiters();
        assert_eq!((second.await.unwrap().status(), lock.await.unwrap().status()), (StatusCode::OK, StatusCode::OK));
        assert_eq!(layer.in_flight.load(Relaxed), 0);
    }
}
