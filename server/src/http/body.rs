//! The bodies on both sides of the stack: limits and counts on the way in, counts on the way out.

mod frames;

use super::BoxError;
use crate::metrics;
use bytes::{Buf, Bytes};
use frames::Frames;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use keyport_api::error::Error;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::{Code, Status};

/// A body went past its limit. What reads it decides what to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request body is larger than {limit} bytes")]
pub struct BodyTooLarge {
    pub limit: u64,
}

/// The body of a request, held to its limit while it is read.
///
/// Errors are [`BodyTooLarge`], a [`Status`] for a gRPC message above the limit, or those of the connection.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Option<Incoming>,
    limit: Limit,
}

#[derive(Debug)]
enum Limit {
    None,
    /// Of the whole body.
    Bytes {
        limit: u64,
        left: u64,
    },
    /// Of every gRPC message.
    Messages {
        limit: usize,
        frames: Frames,
        method: Option<&'static metrics::Method>,
    },
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming) -> RequestBody {
        RequestBody { incoming: Some(incoming), limit: Limit::None }
    }

    /// A body without bytes.
    pub fn empty() -> RequestBody {
        RequestBody { incoming: None, limit: Limit::None }
    }

    pub(crate) fn limit_bytes(&mut self, limit: u64) {
        self.limit = Limit::Bytes { limit, left: limit };
    }

    pub(crate) fn limit_messages(&mut self, limit: usize, method: Option<&'static metrics::Method>) {
        self.limit = Limit::Messages { limit, frames: Frames::default(), method };
    }
}

impl Limit {
    fn check(&mut self, data: &Bytes) -> Result<(), BoxError> {
        match self {
            Limit::None => Ok(()),
            Limit::Bytes { limit, left } => match left.checked_sub(data.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    Ok(())
                }
                None => Err(BodyTooLarge { limit: *limit }.into()),
            },
            Limit::Messages { limit, frames, method } => {
                let seen = frames.read(data);
                if seen.largest > *limit {
                    let error = Error::MessageTooLarge { size: seen.largest, limit: *limit };
                    return Err(Status::from(error).into());
                }
                if let Some(method) = method {
                    method.received(seen.messages, seen.bytes);
                }
                Ok(())
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        Poll::Ready(match ready!(Pin::new(incoming).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref()
                    && let Err(error) = this.limit.check(data)
                {
                    this.incoming = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => Some(Err(error.into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

pin_project! {
    /// The body of an answer: the app's, or a short one of the stack's own.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        inner: Inner<B>,
        meter: Option<Meter>,
    }
}

pin_project! {
    #[project = InnerProj]
    #[derive(Debug)]
    enum Inner<B> {
        App { #[pin] body: B },
        Whole { data: Option<Bytes> },
    }
}

impl<B: Body> Inner<B> {
    fn is_end_stream(&self) -> bool {
        match self {
            Inner::App { body } => body.is_end_stream(),
            Inner::Whole { data } => data.is_none(),
        }
    }
}

/// What is counted of a gRPC answer while it is sent.
#[derive(Debug)]
struct Meter {
    call: metrics::Call,
    framing: Framing,
}

/// How messages stand in the data.
#[derive(Debug)]
enum Framing {
    /// As gRPC has them; the status is in the trailers.
    Plain(Frames),
    /// As gRPC-Web has them; the status is in the last frame.
    Web(Frames),
    /// In base64 or as JSON: not looked into.
    Text,
}

impl<B> ResponseBody<B> {
    pub(crate) fn app(body: B) -> ResponseBody<B> {
        ResponseBody { inner: Inner::App { body }, meter: None }
    }

    pub(crate) fn whole(data: impl Into<Bytes>) -> ResponseBody<B> {
        ResponseBody { inner: Inner::Whole { data: Some(data.into()).filter(|d: &Bytes| !d.is_empty()) }, meter: None }
    }

    /// Counts the end of `call` when it comes.
    pub(crate) fn metered_as_text(self, call: metrics::Call) -> ResponseBody<B> {
        ResponseBody { inner: self.inner, meter: Some(Meter { call, framing: Framing::Text }) }
    }

    /// Counts what is sent as `call`'s, and its end by the trailers.
    pub(crate) fn metered(self, call: metrics::Call, headers: &HeaderMap) -> ResponseBody<B> {
        let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |v| v.as_bytes());
        let framing = match content_type.strip_prefix(b"application/grpc-web") {
            Some([b'-', ..]) => Framing::Text,
            Some(_) => Framing::Web(Frames::default()),
            None => Framing::Plain(Frames::default()),
        };
        ResponseBody { inner: self.inner, meter: Some(Meter { call, framing }) }
    }
}

/// The code in headers or trailers, when there is one.
pub(crate) fn grpc_code(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}

impl Meter {
    /// Counts a frame, `None` being the end; the call's code once it is known.
    fn observe(&mut self, frame: Option<&Frame<Bytes>>) -> Option<Code> {
        let Some(frame) = frame else {
            return Some(if matches!(self.framing, Framing::Plain(_)) { Code::Unknown } else { Code::Ok });
        };
        if let Some(trailers) = frame.trailers_ref() {
            return Some(grpc_code(trailers).unwrap_or(Code::Unknown));
        }
        let data = frame.data_ref()?;
        let seen = match &mut self.framing {
            Framing::Plain(frames) | Framing::Web(frames) => frames.read(data),
            Framing::Text => return None,
        };
        if seen.messages > 0 {
            self.call.method().sent(seen.messages, seen.bytes);
        }
        if seen.trailers { web_code(data) } else { None }
    }
}

/// The code in gRPC-Web's last frame, which has trailers as lines of text.
fn web_code(data: &[u8]) -> Option<Code> {
    const NAME: &[u8] = b"grpc-status:";
    let at = data.windows(NAME.len()).rposition(|window| window.eq_ignore_ascii_case(NAME))?;
    let value = data.get(at + NAME.len()..)?.split(|b| *b == b'\r').next()?;
    Some(Code::from_bytes(value.trim_ascii()))
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let frame = match this.inner.as_mut().project() {
            InnerProj::App { body } => ready!(body.poll_frame(cx)).map(|frame| frame.map_err(Into::into)),
            InnerProj::Whole { data } => data.take().map(|data| Ok(Frame::data(data))),
        };
        if let Some(meter) = this.meter {
            let code = match &frame {
                // The end may never be asked for once it is known.
                Some(Ok(frame)) => meter
                    .observe(Some(frame))
                    .or_else(|| if this.inner.is_end_stream() { meter.observe(None) } else { None }),
                Some(Err(_)) => None,
                None => meter.observe(None),
            };
            if let (Some(code), Some(meter)) = (code, code.and_then(|_| this.meter.take())) {
                meter.call.finish(code);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::App { body } => body.size_hint(),
            Inner::Whole { data } => SizeHint::with_exact(data.as_ref().map_or(0, |d| d.remaining() as u64)),
        }
    }
}
