//! The bodies on both sides of the stack: limits and counts on the way in, counts on the way out.

mod frames;
mod pace;
mod source;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use keyport_api::error::Error;
use pin_project_lite::pin_project;
use tonic::{Code, Status};

use super::unread::Unread;
use crate::http::BoxError;
use crate::metrics;
use frames::Frames;
pub use pace::Pace;
use pace::Paced;
use source::Source;

/// A body went past its limit. What reads it decides what to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request body is larger than {limit} bytes")]
pub struct BodyTooLarge {
    pub limit: u64,
}

/// The body of a request, held to its limit while it is read.
///
/// Errors are [`BodyTooLarge`], a [`Status`] for a gRPC message above the limit and for what comes in too slowly, or those
/// of the connection.
#[derive(Debug)]
pub struct RequestBody {
    source: Source,
    limit: Limit,
    pace: Option<Paced>,
    /// The gRPC method whose messages these are.
    counted: Option<&'static metrics::Series>,
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
    },
}

impl RequestBody {
    /// What is dropped before its end is put down there.
    pub(super) fn new(incoming: Incoming, unread: &Arc<Unread>) -> RequestBody {
        RequestBody { source: Source::arriving(incoming, unread), limit: Limit::None, pace: None, counted: None }
    }

    /// A body without bytes.
    pub fn empty() -> RequestBody {
        RequestBody { source: Source::Whole(None), limit: Limit::None, pace: None, counted: None }
    }

    pub(crate) fn limit_bytes(&mut self, limit: u64) {
        self.limit = Limit::Bytes { limit, left: limit };
    }

    pub(crate) fn limit_messages(&mut self, limit: usize) {
        self.limit = Limit::Messages { limit, frames: Frames::default() };
    }

    /// Refuses to wait for what comes in more slowly.
    pub(crate) fn keep_pace(&mut self, pace: Pace) {
        if matches!(self.source, Source::Connection(_)) {
            self.pace = Some(Paced::new(pace));
        }
    }

    /// Counts the messages that are limited.
    pub(crate) fn count_as(&mut self, series: &'static metrics::Series) {
        self.counted = Some(series);
    }
}

impl From<Bytes> for RequestBody {
    fn from(data: Bytes) -> RequestBody {
        RequestBody {
            source: Source::Whole(Some(data).filter(|data| !data.is_empty())),
            limit: Limit::None,
            pace: None,
            counted: None,
        }
    }
}

impl Limit {
    /// Whether what is announced to come is too much already.
    fn announced(&self, source: &Source) -> Option<BodyTooLarge> {
        match self {
            Limit::Bytes { limit, left } if source.size_hint().lower() > *left => Some(BodyTooLarge { limit: *limit }),
            Limit::Bytes { .. } | Limit::Messages { .. } | Limit::None => None,
        }
    }

    fn check(&mut self, data: &Bytes, counted: Option<&metrics::Series>) -> Result<(), BoxError> {
        match self {
            Limit::None => Ok(()),
            Limit::Bytes { limit, left } => match left.checked_sub(data.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    Ok(())
                }
                None => Err(BodyTooLarge { limit: *limit }.into()),
            },
            Limit::Messages { limit, frames } => {
                let seen = frames.read(data);
                if seen.largest > *limit {
                    let error = Error::MessageTooLarge { size: seen.largest, limit: *limit };
                    return Err(Status::from(error).into());
                }
                if let Some(series) = counted {
                    series.received(seen.messages, seen.bytes);
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
        if let Some(error) = this.limit.announced(&this.source) {
            this.source = Source::Whole(None);
            return Poll::Ready(Some(Err(error.into())));
        }
        let Poll::Ready(frame) = this.source.poll_frame(cx) else {
            let Some(pace) = &mut this.pace else { return Poll::Pending };
            ready!(pace.poll_late(cx));
            this.source.give_up();
            return Poll::Ready(Some(Err(Status::from(Error::BodyTooSlow).into())));
        };
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            if let Some(pace) = &mut this.pace {
                pace.received(data.len());
            }
            if let Err(error) = this.limit.check(data, this.counted) {
                this.source = Source::Whole(None);
                return Poll::Ready(Some(Err(error)));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}

pin_project! {
    /// The body of an answer, with what is counted of it while it is sent.
    #[derive(Debug)]
    pub struct Metered<B> {
        #[pin]
        body: B,
        meter: Option<Meter>,
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
    /// As gRPC-Web has them, in base64: only the last frame is looked into.
    WebText,
}

impl<B> Metered<B> {
    pub(crate) fn uncounted(body: B) -> Metered<B> {
        Metered { body, meter: None }
    }

    /// Counts what is sent as `call`'s, and its end by the trailers.
    pub(crate) fn grpc(body: B, call: metrics::Call, headers: &HeaderMap) -> Metered<B> {
        let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |v| v.as_bytes());
        let framing = match content_type.strip_prefix(b"application/grpc-web") {
            Some([b'-', ..]) => Framing::WebText,
            Some(_) => Framing::Web(Frames::default()),
            None => Framing::Plain(Frames::default()),
        };
        Metered { body, meter: Some(Meter { call, framing }) }
    }
}

impl<B: From<Bytes>> From<Bytes> for Metered<B> {
    fn from(data: Bytes) -> Metered<B> {
        Metered::uncounted(data.into())
    }
}

impl<B: Default> Default for Metered<B> {
    fn default() -> Metered<B> {
        Metered::uncounted(B::default())
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
            // gRPC-Web's last frame comes always, unless its reader is gone.
            return Some(if matches!(self.framing, Framing::Plain(_)) { Code::Unknown } else { Code::Cancelled });
        };
        if let Some(trailers) = frame.trailers_ref() {
            return Some(grpc_code(trailers).unwrap_or(Code::Unknown));
        }
        let data = frame.data_ref()?;
        let seen = match &mut self.framing {
            Framing::Plain(frames) | Framing::Web(frames) => frames.read(data),
            Framing::WebText => return web_text_code(data),
        };
        if seen.messages > 0 {
            self.call.series().sent(seen.messages, seen.bytes);
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

/// The same in base64. Each frame is encoded by itself, so the last one is known by how it begins.
fn web_text_code(data: &[u8]) -> Option<Code> {
    if !data.starts_with(b"gA") {
        return None;
    }
    web_code(&base64_simd::STANDARD.decode_to_vec(data).ok()?)
}

impl<B> Body for Metered<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx)).map(|frame| frame.map_err(Into::into));
        if let Some(meter) = this.meter {
            let code = match &frame {
                // The end may never be asked for once it is known.
                Some(Ok(frame)) => meter
                    .observe(Some(frame))
                    .or_else(|| if this.body.is_end_stream() { meter.observe(None) } else { None }),
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
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// gRPC-Web's last frame: trailers as lines of text.
pub(super) fn grpc_web_trailers(status: &Status, base64: bool) -> Bytes {
    let text = format!("grpc-status:{}\r\ngrpc-message:{}\r\n", status.code() as i32, status.message());
    let mut frame = BytesMut::with_capacity(5 + text.len());
    frame.put_u8(0x80);
    frame.put_u32(u32::try_from(text.len()).unwrap_or_default());
    frame.put_slice(text.as_bytes());
    if base64 { base64_simd::STANDARD.encode_to_string(&frame).into() } else { frame.freeze() }
}
