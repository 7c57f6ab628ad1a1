//! Who calls. What a request claims is looked for in one place, whatever it speaks, and what comes of it stands in its
//! [`Call`] from here on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::super::Call;
use super::super::credentials::{self, Ways};
use crate::gate::{Caller, Claims, Identified};

/// Finds out who makes a claim.
pub trait Identify: Clone {
    /// At once, or later: a token may have to wait for what this member does not know yet.
    fn identify(&self, claims: &Claims) -> Identified;
}

impl<F: Fn(&Claims) -> Identified + Clone> Identify for F {
    fn identify(&self, claims: &Claims) -> Identified {
        self(claims)
    }
}

/// See the module's text.
#[derive(Clone, Debug)]
pub struct IdentityLayer<I> {
    pub identify: I,
    pub ways: Ways,
}

/// See [`IdentityLayer`].
#[derive(Clone, Debug)]
pub struct Identity<S, I> {
    inner: S,
    layer: IdentityLayer<I>,
}

impl<S, I: Clone> Layer<S> for IdentityLayer<I> {
    type Service = Identity<S, I>;

    fn layer(&self, inner: S) -> Identity<S, I> {
        Identity { inner, layer: self.clone() }
    }
}

impl<S, I, B, RB> Service<Request<B>> for Identity<S, I>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    I: Identify,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Identifying<S, Request<B>, S::Future>;

    super::ready_as_inner!();

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let claims = credentials::find(&request, Call::get(request.extensions()), self.layer.ways);
        match self.layer.identify.identify(&claims) {
            Identified::Now(caller) => {
                put(&mut request, caller);
                Identifying::Answering { answer: self.inner.call(request) }
            }
            Identified::Later(caller) => {
                let waiting = Waiting { inner: self.inner.clone(), request };
                Identifying::Asking { caller, waiting: Some(Box::new(waiting)) }
            }
        }
    }
}

fn put<B>(request: &mut Request<B>, caller: Caller) {
    if let Some(call) = request.extensions_mut().get_mut::<Call>() {
        call.identified(caller);
    }
}

/// What waits until the caller is known.
#[derive(Debug)]
pub struct Waiting<S, R> {
    inner: S,
    request: R,
}

pin_project! {
    /// An answer under way, or its caller still to be identified.
    #[project = IdentifyingProj]
    pub enum Identifying<S, R, F> {
        Asking { caller: Pin<Box<dyn Future<Output = Caller> + Send>>, waiting: Option<Box<Waiting<S, R>>> },
        Answering { #[pin] answer: F },
    }
}

impl<S, B> Future for Identifying<S, Request<B>, S::Future>
where
    S: Service<Request<B>>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                IdentifyingProj::Answering { answer } => return answer.poll(cx),
                IdentifyingProj::Asking { caller, waiting } => {
                    let caller = ready!(caller.as_mut().poll(cx));
                    let Some(waiting) = waiting.take() else { return Poll::Pending };
                    let Waiting { mut inner, mut request } = *waiting;
                    put(&mut request, caller);
                    let answer = inner.call(request);
                    self.set(Identifying::Answering { answer });
                }
            }
        }
    }
}
