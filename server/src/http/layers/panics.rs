//! A handler that panics answers "internal error"; its connection and all others go on.
//!
//! `tower-http` has such a layer. It does not let the answer depend on the request, which gRPC needs, and puts every body
//! into a box.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use keyport_api::error::Error;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::super::Protocol;
use super::super::refusal::refusal;

/// See the module's text.
#[derive(Clone, Copy, Debug, Default)]
pub struct CatchPanicLayer;

/// See [`CatchPanicLayer`].
#[derive(Clone, Debug)]
pub struct CatchPanic<S> {
    inner: S,
}

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> CatchPanic<S> {
        CatchPanic { inner }
    }
}

impl<S, B, RB> Service<Request<B>> for CatchPanic<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: From<Bytes>,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Catching<S::Future>;

    super::ready_as_inner!();

    fn call(&mut self, request: Request<B>) -> Catching<S::Future> {
        let protocol = super::protocol(&request);
        // What handlers share is behind locks that do not poison, and every write is applied elsewhere.
        Catching { protocol, answer: catch_unwind(AssertUnwindSafe(|| self.inner.call(request))).ok() }
    }
}

pin_project! {
    /// An answer under way.
    #[derive(Debug)]
    pub struct Catching<F> {
        protocol: Protocol,
        #[pin]
        answer: Option<F>,
    }
}

impl<F, RB, E> Future for Catching<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
    RB: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.answer.as_pin_mut().map(|answer| catch_unwind(AssertUnwindSafe(|| answer.poll(cx))));
        match polled {
            Some(Ok(polled)) => polled,
            Some(Err(_)) | None => Poll::Ready(Ok(refusal(*this.protocol, &Error::Panicked.into()))),
        }
    }
}
