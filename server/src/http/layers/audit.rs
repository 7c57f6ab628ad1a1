//! Who asked for what: begins the trail of each call, and writes its line when it is answered, or its caller gives up: a
//! change that was asked for may be made all the same.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Request, Response};
use keyport_api::error::Error;
use keyport_api::routes;
use keyport_openapi::endpoints::{Operation, Resource};
use pin_project_lite::pin_project;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::super::Call;
use super::super::refusal::{code_of, code_told, error_told};
use crate::audit::{AuditLog, Trail};

/// Of a longer path there is what the table of routes calls it: its key is named anyway.
const MOST_BYTES: usize = 256;

/// See the module's text. Without a log it does nothing.
#[derive(Clone, Debug)]
pub struct AuditLayer(pub(crate) Option<AuditLog>);

/// See [`AuditLayer`].
#[derive(Clone, Debug)]
pub struct Audit<S> {
    inner: S,
    log: Option<AuditLog>,
}

impl<S> Layer<S> for AuditLayer {
    type Service = Audit<S>;

    fn layer(&self, inner: S) -> Audit<S> {
        Audit { inner, log: self.0.clone() }
    }
}

impl<S, B, RB> Service<Request<B>> for Audit<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Audited<S::Future>;

    super::ready_as_inner!();

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let trail = self.log.as_ref().and_then(|log| begin(log, &mut request));
        let deadline = Call::get(request.extensions()).and_then(|call| call.deadline);
        let line = trail.map(|trail| Due { trail, deadline, works: false, is_written: false });
        Audited { answer: self.inner.call(request), line }
    }
}

/// Of a call, and of what is beside the calls; none for what anybody may see.
fn begin<B>(log: &AuditLog, request: &mut Request<B>) -> Option<Arc<Trail>> {
    let call = Call::get(request.extensions())?;
    let from = call.connection.remote.map(|remote| remote.ip());
    let trail = Arc::new(match call.method {
        Some(method) => Trail::of_method(log, from, method),
        None => Trail::of_resource(log, from, resource(request)?),
    });
    request.extensions_mut().get_mut::<Call>()?.trail = Some(Arc::clone(&trail));
    Some(trail)
}

/// Method and path; none where nothing is that would have a line. That a lease is kept alive has none, as among the RPCs.
fn resource<B>(request: &Request<B>) -> Option<String> {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let Some(path) = routes::canonical(path) else {
        let route = Operation::inside(path)?;
        return Some(format!("{method} {}", if path.len() <= MOST_BYTES { path } else { route }));
    };
    if Resource::find(method, &path) == Some(Resource::LeaseKeepAlive) {
        return None;
    }
    let path = if path.len() <= MOST_BYTES { &*path } else { Resource::route(&path)? };
    Some(format!("{method} {path}"))
}

/// The line of a call that is not answered yet. Who drops it gives the call up.
struct Due {
    trail: Arc<Trail>,
    deadline: Option<Instant>,
    /// The call is being worked on. A panic leaves it so.
    works: bool,
    is_written: bool,
}

impl Due {
    fn answered(mut self, code: Code, error: Option<Error>) {
        self.trail.end(code, error);
        self.is_written = true;
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        if self.is_written {
            return;
        }
        let error = if self.works {
            Error::Panicked
        } else if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            Error::ContextDeadlineExceeded
        } else {
            Error::ContextCanceled
        };
        self.trail.end(error.code(), Some(error));
    }
}

pin_project! {
    /// An answer under way.
    pub struct Audited<F> {
        // First, lest what the call leaves behind is told of before.
        line: Option<Due>,
        #[pin]
        answer: F,
    }
}

impl<F, RB, E> Future for Audited<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(line) = this.line {
            line.works = true;
        }
        let answer = this.answer.poll(cx);
        if let Some(line) = this.line {
            line.works = false;
        }
        if let Poll::Ready(Ok(response)) = &answer
            && let Some(line) = this.line.take()
        {
            let (code, error) = outcome(response);
            line.answered(code, error);
        }
        answer
    }
}

/// With which code a call is answered. A stream is when it begins.
fn outcome<RB>(response: &Response<RB>) -> (Code, Option<Error>) {
    if let Some(status) = Status::from_header_map(response.headers()) {
        return (status.code(), Error::from_status(&status));
    }
    let error = error_told(response);
    match code_told(response).or(error.map(Error::code)) {
        Some(code) => (code, error),
        None if response.status().is_client_error() || response.status().is_server_error() => {
            (code_of(response.status()), None)
        }
        None => (Code::Ok, None),
    }
}
