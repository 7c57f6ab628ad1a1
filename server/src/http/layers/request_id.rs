//! `X-Request-Id`: a client's own comes back to it, and goes into the log; failures that have none get one. Problems name it.
//!
//! `tower-http`'s layers make one for every request, which for the millions of calls that go well would cost more than it
//! could ever tell.

use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::super::Call;
use super::super::rare::Rare;
use super::super::refusal::name;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ones are not repeated: they would be somebody's way to fill our log.
const MAX_LEN: usize = 128;

/// See the module's text.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestIdLayer;

/// See [`RequestIdLayer`].
#[derive(Clone, Debug)]
pub struct RequestId<S> {
    inner: S,
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestId<S>;

    fn layer(&self, inner: S) -> RequestId<S> {
        RequestId { inner }
    }
}

impl<S, B, RB> Service<Request<B>> for RequestId<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: From<Bytes>,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Naming<S::Future>;

    super::ready_as_inner!();

    fn call(&mut self, request: Request<B>) -> Naming<S::Future> {
        let call = Call::get(request.extensions());
        let given = of(&request, call).cloned();
        let plain = !call.is_some_and(|call| call.protocol.is_grpc());
        let has_body = request.method() != Method::HEAD;
        Naming { answer: self.inner.call(request), given, plain, has_body }
    }
}

pin_project! {
    /// An answer under way.
    #[derive(Debug)]
    pub struct Naming<F> {
        #[pin]
        answer: F,
        given: Option<HeaderValue>,
        plain: bool,
        has_body: bool,
    }
}

impl<F, RB, E> Future for Naming<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
    RB: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut response = ready!(this.answer.poll(cx))?;
        let failed = response.status().is_client_error() || response.status().is_server_error();
        let id = this.given.take().or_else(|| (*this.plain && failed).then(fresh));
        if let Some(id) = id {
            if failed && *this.has_body {
                name(&mut response, &id);
            }
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        Poll::Ready(Ok(response))
    }
}

/// The id that the client gave.
fn of<'a, B>(request: &'a Request<B>, call: Option<&Call>) -> Option<&'a HeaderValue> {
    if !Call::may_have(call, Rare::REQUEST_ID) {
        return None;
    }
    request.headers().get(X_REQUEST_ID).filter(|id| id.len() <= MAX_LEN && id.to_str().is_ok())
}

/// Unlike any other of this process, and hardly ever like another's.
pub(crate) fn fresh() -> HeaderValue {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(rand::random()));
    let id = format!("{:016x}", NEXT.fetch_add(1, Relaxed));
    HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("0"))
}
