//! Counts calls, in gRPC or in JSON: begun here, ended where their answers end. Of gRPC that can be seen from outside; streams
//! of JSON say it themselves ([`Ending`]).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderName, Request, Response, StatusCode};
use keyport_api::methods::Kind;
use pin_project_lite::pin_project;
use tonic::Code;
use tower::{Layer, Service};

use super::super::body::{Metered, grpc_code};
use super::super::rare::Rare;
use super::super::refusal::{code_of, code_told};
use super::super::{Call, Ending, Protocol, RequestBody};
use crate::metrics::{self, Metrics};

const CLIENT_VERSION: HeaderName = HeaderName::from_static("client-api-version");

/// See the module's text.
#[derive(Clone, Debug)]
pub struct CountLayer(pub Arc<Metrics>);

/// See [`CountLayer`].
#[derive(Clone, Debug)]
pub struct Count<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Count<S> {
        Count { inner, metrics: Arc::clone(&self.0) }
    }
}

impl<S, RB> Service<Request<RequestBody>> for Count<S>
where
    S: Service<Request<RequestBody>, Response = Response<RB>>,
{
    type Response = Response<Metered<RB>>;
    type Error = S::Error;
    type Future = Counting<S::Future>;

    super::ready_as_inner!();

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let call = Call::get(request.extensions());
        // Paths that name no method have no series: a stranger's list of paths must not fill memory.
        let counted = call.and_then(|call| call.method).map(|method| {
            let told = Call::may_have(call, Rare::CLIENT_VERSION);
            let version = if told { request.headers().get(CLIENT_VERSION) } else { None };
            self.metrics.grpc.count_client(version.map(|v| v.as_bytes()), method.info().kind);
            self.metrics.grpc.of(method).start()
        });
        let protocol = call.map_or(Protocol::Http, |call| call.protocol);
        if let (Some(counted), Protocol::Grpc) = (&counted, protocol) {
            request.body_mut().count_as(counted.series());
        }
        let json = protocol == Protocol::Json;
        Counting { answer: self.inner.call(request), counted, json }
    }
}

pin_project! {
    /// An answer under way.
    #[derive(Debug)]
    pub struct Counting<F> {
        #[pin]
        answer: F,
        counted: Option<metrics::Call>,
        json: bool,
    }
}

impl<F, RB, E> Future for Counting<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
{
    type Output = Result<Response<Metered<RB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.answer.poll(cx))?;
        Poll::Ready(Ok(match this.counted.take() {
            None => response.map(Metered::uncounted),
            Some(counted) if *this.json => count_json(counted, response),
            Some(counted) => count_grpc(counted, response),
        }))
    }
}

fn count_grpc<B>(counted: metrics::Call, response: Response<B>) -> Response<Metered<B>> {
    match grpc_code(response.headers()) {
        Some(code) => {
            counted.finish(code);
            response.map(Metered::uncounted)
        }
        None if response.status() != StatusCode::OK => {
            counted.finish(code_of(response.status()));
            response.map(Metered::uncounted)
        }
        None => {
            let (parts, body) = response.into_parts();
            let body = Metered::grpc(body, counted, &parts.headers);
            Response::from_parts(parts, body)
        }
    }
}

/// JSON has other bytes than the messages that are counted, so only calls and messages are.
fn count_json<B>(counted: metrics::Call, mut response: Response<B>) -> Response<Metered<B>> {
    let series = counted.series();
    if let Some(ending) = response.extensions_mut().remove::<Ending>() {
        ending.count(counted);
    } else if response.status() != StatusCode::OK {
        counted.finish(code_told(&response).unwrap_or_else(|| code_of(response.status())));
    } else {
        if series.kind() == Kind::Unary {
            series.received(1, 0);
            series.sent(1, 0);
        }
        counted.finish(Code::Ok);
    }
    response.map(Metered::uncounted)
}
