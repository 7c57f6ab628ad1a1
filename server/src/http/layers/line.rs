//! How many requests of one HTTP/2 connection are worked on at once (`--max-concurrent-requests`): the others stand in line.
//!
//! How many streams a client may open is another matter: etcd lets it open as many as it likes. A place is for the work
//! until there is an answer; sending that is paced by its reader. Calls that wait for others are no work and need none.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, Version};
use keyport_api::error::Error;
use parking_lot::Mutex;
use pin_project_lite::pin_project;
use tokio::sync::OwnedSemaphorePermit;
use tower::{Layer, Service};

use super::super::Call;
use super::super::line::{Line, Turn};
use super::super::refusal::refusal;
use super::Answer;

/// See the module's text.
#[derive(Clone, Copy, Debug)]
pub struct InLineLayer;

/// See [`InLineLayer`].
#[derive(Debug)]
pub struct InLine<S> {
    inner: S,
    /// For those who wait, once there are some: one for all, since many of them would be large.
    shared: Option<Arc<Mutex<S>>>,
}

impl<S: Clone> Clone for InLine<S> {
    fn clone(&self) -> InLine<S> {
        InLine { inner: self.inner.clone(), shared: None }
    }
}

impl<S> Layer<S> for InLineLayer {
    type Service = InLine<S>;

    fn layer(&self, inner: S) -> InLine<S> {
        InLine { inner, shared: None }
    }
}

impl<S, B, RB> Service<Request<B>> for InLine<S>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    RB: From<Bytes>,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Standing<S, Request<B>, S::Future, Response<RB>>;

    super::ready_as_inner!();

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(line) = line_of(&request) else {
            return Standing::Working { answer: Answer::Later { answer: self.inner.call(request) }, place: None };
        };
        if let Some(place) = line.place() {
            return Standing::Working {
                answer: Answer::Later { answer: self.inner.call(request) },
                place: Some(place),
            };
        }
        let turn = Turn::new(Arc::clone(line));
        if turn.is_none() {
            let protocol = super::protocol(&request);
            let refused = refusal(protocol, &Error::RequestTooManyRequests.into());
            return Standing::Working { answer: Answer::now(refused), place: None };
        }
        let service = self.shared.get_or_insert_with(|| Arc::new(Mutex::new(self.inner.clone())));
        Standing::Waiting { turn, waiting: Some(Box::new((Arc::clone(service), request))) }
    }
}

/// Where a request has to stand, if it has to.
fn line_of<B>(request: &Request<B>) -> Option<&Arc<Line>> {
    let call = Call::get(request.extensions())?;
    let is_one_of_many = request.version() == Version::HTTP_2 && !call.is_endless();
    call.connection.line.as_ref().filter(|_| is_one_of_many)
}

pin_project! {
    /// An answer under way, or a request that waits for its turn.
    #[project = StandingProj]
    pub enum Standing<S, R, F, T> {
        Waiting { turn: Option<Turn>, waiting: Option<Box<(Arc<Mutex<S>>, R)>> },
        Working { #[pin] answer: Answer<F, T>, place: Option<OwnedSemaphorePermit> },
    }
}

impl<S, R, T> Future for Standing<S, R, S::Future, T>
where
    S: Service<R, Response = T>,
{
    type Output = Result<T, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                StandingProj::Working { answer, .. } => return answer.poll(cx),
                StandingProj::Waiting { turn, waiting } => {
                    let Some(comes) = turn else { return Poll::Pending };
                    let place = ready!(comes.poll(cx));
                    let Some(waiting) = waiting.take() else { return Poll::Pending };
                    let (service, request) = *waiting;
                    let answer = Answer::Later { answer: service.lock().call(request) };
                    self.set(Standing::Working { answer, place });
                }
            }
        }
    }
}
