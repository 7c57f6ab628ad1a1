//! A span of each call, where a collector is told of them: from its first byte to the last of its answer. Names and attributes
//! are those of OpenTelemetry's conventions for gRPC and for HTTP.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use keyport_openapi::endpoints::Resource;
use pin_project_lite::pin_project;
use tonic::Code;
use tower::{Layer, Service};

use super::super::Call;
use super::super::body::grpc_code;
use super::super::rare::Rare;
use super::super::refusal::code_told;
use crate::steps::{Step, Steps};
use crate::traces::{Span, Traces};

/// Longer paths lead nowhere.
const MOST_BYTES: usize = 256;

/// See the module's text. Without a collector it does nothing.
#[derive(Clone, Debug)]
pub struct TraceLayer(pub(crate) Option<Traces>);

/// See [`TraceLayer`].
#[derive(Clone, Debug)]
pub struct Trace<S> {
    inner: S,
    traces: Option<Traces>,
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace { inner, traces: self.0.clone() }
    }
}

impl<S, B, RB> Service<Request<B>> for Trace<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: Body,
{
    type Response = Response<Traced<RB>>;
    type Error = S::Error;
    type Future = Tracing<S::Future>;

    super::ready_as_inner!();

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let told = self.traces.as_ref().and_then(|traces| begin(traces, &mut request));
        Tracing { answer: self.inner.call(request), told: told.map(Box::new) }
    }
}

/// A call that is told of.
#[derive(Debug)]
struct Told {
    span: Span,
    is_grpc: bool,
    /// When its answer began.
    answered: Option<Instant>,
}

/// Of a call, and of what is beside the calls; none for what only watches over the member.
fn begin<B>(traces: &Traces, request: &mut Request<B>) -> Option<Told> {
    let call = Call::get(request.extensions())?;
    let is_told = call.method.is_some() || request.uri().path().starts_with("/v3/");
    let headers = Call::may_have(Some(call), Rare::TRACE_PARENT).then(|| request.headers());
    let span = is_told.then(|| traces.begin(name(request, call), call.started, headers)).flatten()?;
    describe(&span, request, call);
    let is_grpc = call.protocol.is_grpc();
    request.extensions_mut().get_mut::<Call>()?.is_traced = true;
    Some(Told { span, is_grpc, answered: None })
}

/// `etcdserverpb.KV/Range`; `POST /v3/kv/range`; what leads nowhere has no name of its own.
fn name<B>(request: &Request<B>, call: &Call) -> Cow<'static, str> {
    let verb = request.method().as_str();
    match call.method {
        Some(method) if call.protocol.is_grpc() => method.path().trim_start_matches('/').into(),
        _ => match route(request, call) {
            Some(route) => format!("{verb} {route}").into(),
            None => verb.to_owned().into(),
        },
    }
}

/// Where a path leads, if it leads anywhere.
fn route<'a, B>(request: &'a Request<B>, call: &Call) -> Option<Cow<'a, str>> {
    let path = keyport_api::routes::canonical(request.uri().path())?;
    if call.method.is_some() { Some(path) } else { Resource::route(&path).map(Cow::Borrowed) }
}

fn describe<B>(span: &Span, request: &Request<B>, call: &Call) {
    if let Some(remote) = call.connection.remote {
        span.set("network.peer.address", remote.ip().to_string());
        span.set("network.peer.port", i64::from(remote.port()));
    }
    if let Some(method) = call.method {
        let name = method.path().trim_start_matches('/');
        span.set("rpc.method", name);
        span.set("rpc.service", name.split('/').next().unwrap_or_default());
    }
    if call.protocol.is_grpc() {
        // By today's conventions, and by those of etcd 3.6.
        span.set("rpc.system.name", "grpc");
        span.set("rpc.system", "grpc");
        return;
    }
    span.set("http.request.method", request.method().to_string());
    span.set("url.scheme", if call.connection.is_encrypted() { "https" } else { "http" });
    let path = request.uri().path();
    span.set("url.path", path.get(..MOST_BYTES).unwrap_or(path).to_owned());
    if let Some(route) = route(request, call) {
        span.set("http.route", route.into_owned());
    }
}

impl Told {
    fn head<B>(&mut self, response: &mut Response<B>) {
        let steps = response.extensions_mut().remove::<Steps>().unwrap_or_default();
        steps.iter().for_each(|step| self.span.step(step));
        self.answered = Some(Instant::now());
        let status = response.status();
        if self.is_grpc {
            let code = grpc_code(response.headers()).or_else(|| code_told(response));
            code.into_iter().for_each(|code| self.code(code));
        } else {
            self.span.set("http.response.status_code", i64::from(status.as_u16()));
            if status.is_server_error() {
                self.span.fail(status.canonical_reason().unwrap_or_default());
            }
        }
    }

    fn trailers(&self, trailers: &HeaderMap) {
        grpc_code(trailers).into_iter().for_each(|code| self.code(code));
    }

    fn code(&self, code: Code) {
        self.span.set("rpc.response.status_code", word(code));
        self.span.set("rpc.grpc.status_code", i64::from(code as i32));
        // What is the server's fault, as OpenTelemetry has it.
        if matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ) {
            self.span.fail(code.description());
        }
    }

    /// Encoding and sending go together: a large answer is encoded as fast as it is taken.
    fn end(self, is_whole: bool) {
        if let Some(start) = self.answered {
            self.span.step(&Step { name: "encode and send", start, end: Instant::now() });
        }
        if !is_whole && self.is_grpc {
            self.code(Code::Cancelled);
        } else if !is_whole {
            self.span.set("error.type", "cancelled");
        }
    }
}

/// A code as gRPC writes it.
fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

pin_project! {
    /// An answer under way.
    #[derive(Debug)]
    pub struct Tracing<F> {
        #[pin]
        answer: F,
        told: Option<Box<Told>>,
    }

    impl<F> PinnedDrop for Tracing<F> {
        fn drop(this: Pin<&mut Self>) {
            this.project().told.take().into_iter().for_each(|told| told.end(false));
        }
    }
}

impl<F, RB, E> Future for Tracing<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
    RB: Body,
{
    type Output = Result<Response<Traced<RB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.answer.poll(cx))?;
        let mut told = this.told.take();
        if let Some(told) = &mut told {
            told.head(&mut response);
        }
        Poll::Ready(Ok(response.map(|body| Traced { body, told })))
    }
}

pin_project! {
    /// The body of an answer, whose end is that of the call.
    #[derive(Debug)]
    pub struct Traced<B: Body> {
        #[pin]
        body: B,
        told: Option<Box<Told>>,
    }

    impl<B: Body> PinnedDrop for Traced<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(told) = this.told.take() {
                // What has no more to say is not asked again.
                told.end(this.body.is_end_stream());
            }
        }
    }
}

impl<B: Body> Body for Traced<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(told) = this.told {
            match &frame {
                Some(Ok(frame)) => frame.trailers_ref().into_iter().for_each(|trailers| told.trailers(trailers)),
                Some(Err(_)) => told.span.fail("the answer broke off"),
                None => {}
            }
        }
        let is_last = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
        if is_last && let Some(told) = this.told.take() {
            told.end(true);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
