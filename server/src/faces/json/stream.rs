//! Streaming calls over plain HTTP: one line of JSON for each message, `{"result": …}`, or at last `{"error": …}`.
//!
//! A line and its newline are one frame. Nothing is buffered here: the connection pulls the next line when it has
//! sent the one before. An error that comes before the first line is the status of the answer; the answer does not
//! wait for that line longer than [`FIRST_LINE_WAIT`], so that a call with nothing to say yet is seen to stand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, TryFutureExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body;
use keyport_api::error::Error;
use keyport_api::json::{FromJson, ToJson};
use parking_lot::Mutex;
use prost::Message;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::{Code, Status};

use super::dialogue::{Dialogue, Opens};
use super::inbound::{Call, Inbound};
use super::refusal::{self, JSON, Refusal};
use super::{GatewayOptions, unary};
use crate::bulk::Aside;
use crate::faces::negotiation;
use crate::faces::text::GatewayBody;
use crate::http::layers::LastWord;
use crate::http::{BoxError, Ending};

/// How long headers are held back for the first line.
const FIRST_LINE_WAIT: Duration = Duration::from_millis(200);

/// The requests of a streaming call, as they arrive. The end of it is the end of the request, not of the call.
pub(super) type Requests<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
/// The answers to a streaming call. After an error nothing follows. Dropping it ends the call.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Lines of JSON.
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// Calls a stream what it is for whoever asks for that (`headers` are those of the request). For all others it is JSON, as
/// it is at etcd's gateway.
pub(super) fn named_as_wished(headers: &HeaderMap, mut response: Response<GatewayBody>) -> Response<GatewayBody> {
    if response.status().is_success() && negotiation::LINES.iter().any(|name| negotiation::accepts(headers, name)) {
        response.headers_mut().insert(header::CONTENT_TYPE, LINES);
    }
    response
}

/// A call with one request and many answers.
pub(super) async fn server_streaming<B, Req, Resp, S, F, E, I>(
    options: &GatewayOptions,
    aside: Aside<'_>,
    body: B,
    invoke: impl FnOnce(Req) -> F,
) -> Response<GatewayBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    Req: Message + FromJson + 'static,
    Resp: ToJson + Send + 'static,
    S: Stream<Item = Result<Resp, I>> + Send + 'static,
    F: Future<Output = Result<S, E>> + Send + 'static,
    E: Into<Status> + 'static,
    I: Into<Status> + 'static,
{
    match unary::request(options, aside, body).await {
        Ok((request, _)) => respond(Lines::new(options, answers(invoke(request)))).await,
        Err(refusal) => refusal.stream_response(),
    }
}

/// What a streaming call gives, as one stream.
pub(super) fn answers<Resp, S, F, E, I>(invoked: F) -> Answers<Resp>
where
    Resp: Send + 'static,
    S: Stream<Item = Result<Resp, I>> + Send + 'static,
    F: Future<Output = Result<S, E>> + Send + 'static,
    E: Into<Status> + 'static,
    I: Into<Status> + 'static,
{
    let invoked = invoked.map_ok(|answers| answers.map_err(Into::into)).map_err(Into::into);
    Box::pin(invoked.try_flatten_stream())
}

/// A call that streams both ways.
pub(super) async fn bidi<B, Req, Resp>(
    options: &GatewayOptions,
    aside: Aside<'_>,
    body: B,
    serve: impl FnOnce(Requests<Req>) -> Answers<Resp>,
) -> Response<GatewayBody>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    Req: Opens<Resp> + Message + FromJson + 'static,
    Resp: ToJson + Send + 'static,
{
    let call = Arc::new(Mutex::new(Call::<Req::Dialogue>::default()));
    let answers = serve(Box::pin(Inbound::new(body, options.clone(), aside.to_own(), Arc::clone(&call))));
    respond(Lines::new(options, Box::pin(Outbound { answers, call, done: false }))).await
}

/// The answering side of a call: the service's answers, until nothing more can come.
struct Outbound<D: Dialogue> {
    answers: Answers<D::Response>,
    call: Arc<Mutex<Call<D>>>,
    done: bool,
}

impl<D: Dialogue> Stream for Outbound<D> {
    type Item = Result<D::Response, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        let answer = this.answers.as_mut().poll_next(cx);
        let mut call = this.call.lock();
        match answer {
            Poll::Ready(Some(Ok(answer))) => {
                call.dialogue.answered(&answer);
                return Poll::Ready(Some(Ok(answer)));
            }
            Poll::Ready(Some(Err(status))) => {
                this.done = true;
                return Poll::Ready(Some(Err(status)));
            }
            Poll::Ready(None) => {}
            Poll::Pending if call.dialogue.owes() || !call.ended || (call.fault.is_none() && call.dialogue.open()) => {
                call.answering = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Pending => {}
        }
        this.done = true;
        Poll::Ready(call.fault.take().map(Err))
    }
}

/// Answers, each written as a line, until the last, an error or the server's end.
struct Lines<T> {
    answers: Answers<T>,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    ending: Ending,
    done: bool,
}

impl<T: ToJson> Lines<T> {
    fn new(options: &GatewayOptions, answers: Answers<T>) -> Lines<T> {
        let stopped = Box::pin(options.stop.clone().cancelled_owned());
        Lines { answers, stopped, ending: Ending::default(), done: false }
    }

    fn end(&mut self, code: Code) {
        self.done = true;
        self.ending.tell(code);
    }
}

impl<T: ToJson> Stream for Lines<T> {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        let line = match this.answers.as_mut().poll_next(cx) {
            Poll::Ready(answer) => answer.map(|answer| answer.and_then(|answer| line(&answer))),
            Poll::Pending => {
                ready!(this.stopped.as_mut().poll(cx));
                Some(Err(Error::Stopped.into()))
            }
        };
        match &line {
            Some(Ok(_)) => {}
            Some(Err(status)) => this.end(status.code()),
            None => this.end(Code::Ok),
        }
        Poll::Ready(line)
    }
}

/// A message of a stream, newline not included.
pub(super) fn result_object<T: ToJson>(answer: &T) -> Result<Vec<u8>, Status> {
    let mut object = Vec::with_capacity(512);
    object.extend_from_slice(br#"{"result":"#);
    answer.write(&mut object)?;
    object.push(b'}');
    Ok(object)
}

fn line<T: ToJson>(answer: &T) -> Result<Bytes, Status> {
    let mut line = result_object(answer)?;
    line.push(b'\n');
    Ok(line.into())
}

/// The answer to a streaming call: decided by the first line if that comes soon.
async fn respond<T: ToJson + 'static>(mut lines: Lines<T>) -> Response<GatewayBody> {
    let first = match tokio::time::timeout(FIRST_LINE_WAIT, lines.next()).await {
        Ok(Some(Err(status))) => return Refusal::from(status).stream_response(),
        Ok(Some(Ok(line))) => Some(line),
        Ok(None) | Err(_) => None,
    };
    let ending = lines.ending.clone();
    let rest = lines.map(|line| line.unwrap_or_else(|status| refusal::line(&status).into()));
    let mut response = Response::new(GatewayBody::stream(stream::iter(first).chain(rest)));
    response.extensions_mut().insert(LastWord(|status| refusal::line(status).into()));
    response.extensions_mut().insert(ending);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
