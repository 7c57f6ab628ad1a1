//! What looks at the head of a request and either lets it pass or answers it.

use bytes::Bytes;
use http::{Request, Response};
use tower::{Layer, Service};

use super::super::Call;
use super::Answer;

/// Such a look.
pub trait Check: Clone {
    /// The answer to a request that does not pass; in a body made of bytes, whatever kind the service behind has. `call` is
    /// what is known of it.
    fn answer<B, RB: From<Bytes>>(&self, request: &Request<B>, call: Option<&Call>) -> Option<Response<RB>>;
}

/// One after the other.
impl<C1: Check, C2: Check, C3: Check, C4: Check, C5: Check, C6: Check> Check for (C1, C2, C3, C4, C5, C6) {
    fn answer<B, RB: From<Bytes>>(&self, request: &Request<B>, call: Option<&Call>) -> Option<Response<RB>> {
        let (first, second, third, fourth, fifth, sixth) = self;
        first
            .answer(request, call)
            .or_else(|| second.answer(request, call))
            .or_else(|| third.answer(request, call))
            .or_else(|| fourth.answer(request, call))
            .or_else(|| fifth.answer(request, call))
            .or_else(|| sixth.answer(request, call))
    }
}

/// Puts a check, or several, in front of a service.
#[derive(Clone, Debug)]
pub struct CheckLayer<C>(pub C);

/// See [`CheckLayer`].
#[derive(Clone, Debug)]
pub struct Checked<C, S> {
    check: C,
    inner: S,
}

impl<C: Clone, S> Layer<S> for CheckLayer<C> {
    type Service = Checked<C, S>;

    fn layer(&self, inner: S) -> Checked<C, S> {
        Checked { check: self.0.clone(), inner }
    }
}

impl<C, S, B, RB> Service<Request<B>> for Checked<C, S>
where
    C: Check,
    S: Service<Request<B>, Response = Response<RB>>,
    RB: From<Bytes>,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Answer<S::Future, Response<RB>>;

    super::ready_as_inner!();

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.check.answer(&request, Call::get(request.extensions())) {
            Some(answer) => Answer::now(answer),
            None => Answer::Later { answer: self.inner.call(request) },
        }
    }
}
