//! How long a call is attended to: until its caller's patience ends (`grpc-timeout`), and what may last for ever only as
//! long as its caller is there.
//!
//! What waited is given up by being dropped: a lock leaves its line, a proposal its waiter. A stream that had begun ends
//! with a last word in the terms of what it speaks.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use keyport_api::error::{Error, not_understood};
use keyport_api::methods::Kind;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::super::rare::Rare;
use super::super::refusal::{refusal, refusal_as};
use super::super::{Call, Connection, Ending, Protocol, patience};
use super::Answer;
use crate::http::body::grpc_web_trailers;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// An extension of an answer: its body lasts as long as its reader likes, though its path names no RPC of that kind.
#[derive(Clone, Copy, Debug)]
pub struct LastsLong;

/// An extension of an answer: how its stream says why it ends.
#[derive(Clone, Copy, Debug)]
pub struct LastWord(pub fn(&Status) -> Bytes);

/// See the module's text.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttendanceLayer;

/// See [`AttendanceLayer`].
#[derive(Clone, Debug)]
pub struct Attendance<S> {
    inner: S,
}

impl<S> Layer<S> for AttendanceLayer {
    type Service = Attendance<S>;

    fn layer(&self, inner: S) -> Attendance<S> {
        Attendance { inner }
    }
}

impl<S, B, RB> Service<Request<B>> for Attendance<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: Body + From<Bytes>,
{
    type Response = Response<Attended<RB>>;
    type Error = S::Error;
    type Future = Attending<S::Future, RB>;

    super::ready_as_inner!();

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let call = Call::get(request.extensions());
        let protocol = call.map_or(Protocol::Http, |call| call.protocol);
        let timed = Call::may_have(call, Rare::GRPC_TIMEOUT);
        let timeout = if timed { request.headers().get(GRPC_TIMEOUT) } else { None };
        let patience = match timeout.map(patience::read) {
            None => None,
            Some(Ok(patience)) => Some(patience),
            Some(Err(malformed)) => {
                // A mistake of the transport in gRPC's eyes, one of the caller on the gateway.
                let status = match protocol {
                    Protocol::Grpc | Protocol::GrpcWeb => malformed.into(),
                    Protocol::Json | Protocol::Http => not_understood(malformed),
                };
                return Attending::refused(refusal_as(protocol, StatusCode::BAD_REQUEST, &status));
            }
        };
        if patience.is_some_and(|patience| patience.is_zero()) {
            return Attending::refused(refusal(protocol, &Error::ContextDeadlineExceeded.into()));
        }
        let is_http1 = request.version() < Version::HTTP_2;
        let terms = call.map_or_else(Terms::default, |call| Terms::of(call, patience, is_http1));
        if terms.deadline.is_some()
            && let Some(call) = request.extensions_mut().get_mut::<Call>()
        {
            call.deadline = terms.deadline;
        }
        let timer = terms.deadline.map(|deadline| sleep_until(deadline.into()));
        Attending { answer: Answer::Later { answer: self.inner.call(request) }, terms, timer }
    }
}

/// How long, and for whom.
#[derive(Clone, Debug)]
struct Terms {
    protocol: Protocol,
    deadline: Option<Instant>,
    /// Whether the answer is, or may be, a stream.
    streams: bool,
    /// Whether it may take for ever before there is an answer.
    waits: bool,
    /// Where HTTP/1.1 is spoken and it may last: nothing else tells there that a caller is gone.
    connection: Option<Arc<Connection>>,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { protocol: Protocol::Http, deadline: None, streams: false, waits: false, connection: None }
    }
}

impl Terms {
    fn of(call: &Call, patience: Option<Duration>, is_http1: bool) -> Terms {
        let streams = call.method.is_none_or(|method| method.info().kind != Kind::Unary);
        let waits = call.is_endless();
        Terms {
            protocol: call.protocol,
            deadline: patience.and_then(|patience| call.started.checked_add(patience)),
            streams,
            waits,
            connection: (is_http1 && (streams || waits)).then(|| Arc::clone(&call.connection)),
        }
    }

    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.as_ref().map_or(Poll::Pending, |connection| connection.poll_read_closed(cx))
    }
}

pin_project! {
    /// An answer under way.
    #[derive(Debug)]
    pub struct Attending<F, RB> {
        #[pin]
        answer: Answer<F, Response<RB>>,
        terms: Terms,
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<F, RB> Attending<F, RB> {
    fn refused(answer: Response<RB>) -> Attending<F, RB> {
        Attending { answer: Answer::now(answer), terms: Terms::default(), timer: None }
    }
}

impl<F, RB, E> Future for Attending<F, RB>
where
    F: Future<Output = Result<Response<RB>, E>>,
    RB: Body + From<Bytes>,
{
    type Output = Result<Response<Attended<RB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.answer.poll(cx)? {
            Poll::Ready(response) => response,
            Poll::Pending => {
                let over = this.timer.as_pin_mut().is_some_and(|timer| timer.poll(cx).is_ready());
                let reason = if over {
                    Error::ContextDeadlineExceeded
                } else if this.terms.waits {
                    ready!(this.terms.poll_gone(cx));
                    Error::ContextCanceled
                } else {
                    return Poll::Pending;
                };
                return Poll::Ready(Ok(refusal(this.terms.protocol, &reason.into()).map(Attended::simply)));
            }
        };
        // What is there as a whole is no stream, such as a refusal.
        if response.body().size_hint().exact().is_some() {
            return Poll::Ready(Ok(response.map(Attended::simply)));
        }
        let lasts_long = this.terms.waits || response.extensions().get::<LastsLong>().is_some();
        let deadline = this.terms.deadline.filter(|_| this.terms.streams);
        if deadline.is_none() && !(lasts_long && this.terms.connection.is_some()) {
            return Poll::Ready(Ok(response.map(Attended::simply)));
        }
        let watched = Watched {
            timer: deadline.map(|deadline| Box::pin(sleep_until(deadline.into()))),
            last_word: LastWords::of(this.terms.protocol, &response),
            ending: response.extensions().get().cloned(),
            connection: this.terms.connection.take().filter(|_| lasts_long),
            over: false,
        };
        Poll::Ready(Ok(response.map(|body| Attended { body, watched: Some(Box::new(watched)) })))
    }
}

pin_project! {
    /// A body that ends when nobody waits for it any more.
    #[derive(Debug)]
    pub struct Attended<B> {
        #[pin]
        body: B,
        watched: Option<Box<Watched>>,
    }
}

#[derive(Debug)]
struct Watched {
    timer: Option<Pin<Box<Sleep>>>,
    last_word: LastWords,
    /// Who is told that it ends, if not only its reader.
    ending: Option<Ending>,
    /// Where to look whether its reader is still there.
    connection: Option<Arc<Connection>>,
    over: bool,
}

impl Watched {
    fn end(&mut self, code: Code) {
        self.over = true;
        if let Some(ending) = &self.ending {
            ending.tell(code);
        }
    }
}

/// How a stream says that its time is over.
#[derive(Clone, Copy, Debug)]
enum LastWords {
    Trailers,
    GrpcWeb { base64: bool },
    Data(fn(&Status) -> Bytes),
    None,
}

impl LastWords {
    fn of<B>(protocol: Protocol, response: &Response<B>) -> LastWords {
        let content_type =
            response.headers().get(http::header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        match (protocol, response.extensions().get::<LastWord>()) {
            (Protocol::Grpc, _) => LastWords::Trailers,
            (Protocol::GrpcWeb, _) => {
                LastWords::GrpcWeb { base64: content_type.starts_with(b"application/grpc-web-text") }
            }
            (Protocol::Json | Protocol::Http, Some(LastWord(word))) => LastWords::Data(*word),
            (Protocol::Json | Protocol::Http, None) => LastWords::None,
        }
    }

    fn frame(self, status: &Status) -> Option<Frame<Bytes>> {
        match self {
            LastWords::Trailers => {
                let mut trailers = HeaderMap::with_capacity(2);
                // A status whose text is ours always has a form as headers.
                status.add_header(&mut trailers).ok()?;
                Some(Frame::trailers(trailers))
            }
            LastWords::GrpcWeb { base64 } => Some(Frame::data(grpc_web_trailers(status, base64))),
            LastWords::Data(word) => Some(Frame::data(word(status))),
            LastWords::None => None,
        }
    }
}

impl<B> Attended<B> {
    fn simply(body: B) -> Attended<B> {
        Attended { body, watched: None }
    }
}

impl<B: From<Bytes>> From<Bytes> for Attended<B> {
    fn from(data: Bytes) -> Attended<B> {
        Attended::simply(data.into())
    }
}

impl<B: Default> Default for Attended<B> {
    fn default() -> Attended<B> {
        Attended::simply(B::default())
    }
}

impl<B: Body<Data = Bytes>> Body for Attended<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let Some(watched) = this.watched else { return this.body.poll_frame(cx) };
        if watched.over {
            return Poll::Ready(None);
        }
        // The time counts though there is more to say: it may be an endless stream.
        let over = watched.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if over {
            let status = Status::from(Error::ContextDeadlineExceeded);
            watched.end(status.code());
            return Poll::Ready(watched.last_word.frame(&status).map(Ok));
        }
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if let Some(connection) = &watched.connection {
            ready!(connection.poll_read_closed(cx));
            watched.end(Code::Cancelled);
            return Poll::Ready(None);
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match &self.watched {
            Some(watched) => watched.over,
            None => self.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.watched.is_some() { SizeHint::default() } else { self.body.size_hint() }
    }
}
