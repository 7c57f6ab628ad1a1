//! Who asked for what: begins the trail of each call, and writes its line when it is answered.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use keyport_api::error::Error;
use pin_project_lite::pin_project;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::super::Call;
use super::super::refusal::code_told;
use crate::audit::{AuditLog, Trail};

/// Longer paths lead nowhere.
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
        Audited { answer: self.inner.call(request), trail }
    }
}

/// Of a call, and of what is beside the calls; none for what anybody may see.
fn begin<B>(log: &AuditLog, request: &mut Request<B>) -> Option<Arc<Trail>> {
    let call = Call::get(request.extensions())?;
    let from = call.connection.remote.map(|remote| remote.ip());
    let name = match call.method {
        Some(method) => Cow::Borrowed(method.path()),
        None => Cow::Owned(resource(request)?),
    };
    let trail = Arc::new(Trail::new(log, from, name));
    request.extensions_mut().get_mut::<Call>()?.trail = Some(Arc::clone(&trail));
    Some(trail)
}

fn resource<B>(request: &Request<B>) -> Option<String> {
    let path = request.uri().path();
    let is_named = path.starts_with("/v3/") && path.len() <= MOST_BYTES;
    is_named.then(|| format!("{} {path}", request.method()))
}

pin_project! {
    /// An answer under way.
    pub struct Audited<F> {
        #[pin]
        answer: F,
        trail: Option<Arc<Trail>>,
    }
}

impl<F, RB, E> Future for Audited<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(cx));
        if let (Some(trail), Ok(response)) = (this.trail.take(), &answer) {
            let (code, error) = outcome(response);
            trail.end(code, error);
        }
        Poll::Ready(answer)
    }
}

/// With which code a call is answered. A stream is when it begins.
fn outcome<RB>(response: &Response<RB>) -> (Code, Option<Error>) {
    if let Some(status) = Status::from_header_map(response.headers()) {
        return (status.code(), Error::from_status(&status));
    }
    match code_told(response) {
        Some(code) => (code, None),
        None if response.status().is_client_error() || response.status().is_server_error() => (Code::Unknown, None),
        None => (Code::Ok, None),
    }
}
