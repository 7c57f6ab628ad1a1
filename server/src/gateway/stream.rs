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
use futures_util::{StreamExt, TryFutureExt, stream};
use http::request::Parts;
use http::{HeaderValue, Response, header};
use http_body::Body;
use keyport_api::error::Error;
use keyport_api::json::{FromJson, ToJson};
use parking_lot::Mutex;
use prost::Message;
use tokio::time::Sleep;
use tonic::Status;

use super::body::{BoxError, GatewayBody};
use super::dialogue::{Dialogue, Opens};
use super::inbound::{Call, Inbound};
use super::metadata::CallHeaders;
use super::refusal::{self, JSON, Refusal};
use super::service_set::{Answers, StreamCall};
use super::{GatewayOptions, unary};

/// How long headers are held back for the first line.
const FIRST_LINE_WAIT: Duration = Duration::from_millis(200);

/// A call with one request and many answers.
pub(super) async fn server_streaming<B, Req, Resp, S, F>(
    options: &GatewayOptions,
    parts: Parts,
    body: B,
    invoke: impl FnOnce(tonic::Request<Req>) -> F,
) -> Response<GatewayBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    Req: Message + FromJson,
    Resp: ToJson + Send + 'static,
    S: Stream<Item = Result<Resp, Status>> + Send + 'static,
    F: Future<Output = Result<tonic::Response<S>, Status>> + Send + 'static,
{
    match unary::request(options, parts, body).await {
        Ok((request, timeout)) => respond(Lines::new(answers(invoke(request)), timeout, encode)).await,
        Err(refusal) => refusal.stream_response(),
    }
}

/// What a server-streaming method gives, as one stream.
pub(super) fn answers<Resp, S, F>(invoked: F) -> Answers<Resp>
where
    Resp: Send + 'static,
    S: Stream<Item = Result<Resp, Status>> + Send + 'static,
    F: Future<Output = Result<tonic::Response<S>, Status>> + Send + 'static,
{
    Box::pin(invoked.map_ok(tonic::Response::into_inner).try_flatten_stream())
}

/// A call that streams both ways.
pub(super) async fn bidi<B, Req, Resp>(
    options: &GatewayOptions,
    parts: Parts,
    body: B,
    serve: impl FnOnce(StreamCall<Req>) -> Answers<Resp>,
) -> Response<GatewayBody>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    Req: Opens<Resp> + Message + FromJson,
    Resp: ToJson + Send + 'static,
{
    let headers = match CallHeaders::read(&parts.headers) {
        Ok(headers) => headers,
        Err(status) => return Refusal::from(status).stream_response(),
    };
    let call = Arc::new(Mutex::new(Call::<Req::Dialogue>::default()));
    let requests = Box::pin(Inbound::new(body, *options, Arc::clone(&call)));
    let answers = serve(StreamCall { metadata: headers.metadata, extensions: parts.extensions, requests });
    respond(Lines::new(Box::pin(Outbound { answers, call, done: false }), headers.timeout, encode)).await
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

/// Answers, each written as a text, until the last, an error or the caller's deadline.
pub(super) struct Lines<T> {
    answers: Answers<T>,
    deadline: Option<Pin<Box<Sleep>>>,
    encode: fn(&T) -> Result<Bytes, Status>,
    done: bool,
}

impl<T> Lines<T> {
    pub(super) fn new(
        answers: Answers<T>,
        timeout: Option<Duration>,
        encode: fn(&T) -> Result<Bytes, Status>,
    ) -> Lines<T> {
        let deadline = timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout)));
        Lines { answers, deadline, encode, done: false }
    }
}

impl<T> Stream for Lines<T> {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        let line = match this.answers.as_mut().poll_next(cx) {
            Poll::Ready(answer) => answer.map(|answer| answer.and_then(|answer| (this.encode)(&answer))),
            Poll::Pending => {
                let Some(deadline) = &mut this.deadline else { return Poll::Pending };
                ready!(deadline.as_mut().poll(cx));
                Some(Err(Error::ContextDeadlineExceeded.into()))
            }
        };
        this.done = !matches!(line, Some(Ok(_)));
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

fn encode<T: ToJson>(answer: &T) -> Result<Bytes, Status> {
    let mut line = result_object(answer)?;
    line.push(b'\n');
    Ok(line.into())
}

/// The answer to a streaming call: decided by the first line if that comes soon.
async fn respond<T: 'static>(mut lines: Lines<T>) -> Response<GatewayBody> {
    let first = match tokio::time::timeout(FIRST_LINE_WAIT, lines.next()).await {
        Ok(Some(Err(status))) => return Refusal::from(status).stream_response(),
        Ok(Some(Ok(line))) => Some(line),
        Ok(None) | Err(_) => None,
    };
    let rest = lines.map(|line| line.unwrap_or_else(|status| refusal::line(&status).into()));
    let mut response = Response::new(GatewayBody::stream(stream::iter(first).chain(rest)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
