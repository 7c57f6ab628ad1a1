//! The one type that every answer below `/v3/` has for its body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};

/// The body of an answer: whole, or one frame at a time.
///
/// Each item of a stream becomes one frame, and so exactly one chunk of an HTTP/1.1 answer: clients exist that
/// decode a chunk as a document. It is pulled, never pushed: a connection that does not drain stops the producer.
pub enum GatewayBody {
    /// Everything at once; the length is known, so the answer has a `Content-Length`.
    Full(Bytes),
    /// A stream of frames; the answer is chunked.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    /// What has been made already and is written out as fast as it is taken: a long list.
    Pieces(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    /// The same, compressed; what fails then ends the connection.
    Packed(Frames),
    /// So many bytes, as they are read; what fails then ends the connection, and nobody takes the part for the whole.
    Sized { left: u64, frames: Frames },
}

/// What may fail on its way.
type Frames = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

impl GatewayBody {
    /// No body at all.
    pub fn empty() -> GatewayBody {
        GatewayBody::Full(Bytes::new())
    }

    /// One frame for each item.
    pub fn stream(frames: impl Stream<Item = Bytes> + Send + 'static) -> GatewayBody {
        GatewayBody::Stream(Box::pin(frames))
    }

    /// Something with an end, in pieces.
    pub(in crate::faces) fn pieces(pieces: impl Stream<Item = Bytes> + Send + 'static) -> GatewayBody {
        GatewayBody::Pieces(Box::pin(pieces))
    }

    /// Frames that are `left` bytes together.
    pub fn sized(left: u64, frames: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> GatewayBody {
        GatewayBody::Sized { left, frames: Box::pin(frames) }
    }
}

impl From<Bytes> for GatewayBody {
    fn from(bytes: Bytes) -> GatewayBody {
        GatewayBody::Full(bytes)
    }
}

impl fmt::Debug for GatewayBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GatewayBody::Full(bytes) => f.debug_tuple("Full").field(bytes).finish(),
            GatewayBody::Stream(_) => f.write_str("Stream"),
            GatewayBody::Pieces(_) => f.write_str("Pieces"),
            GatewayBody::Packed(_) => f.write_str("Packed"),
            GatewayBody::Sized { left, .. } => f.debug_tuple("Sized").field(left).finish(),
        }
    }
}

impl Body for GatewayBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            GatewayBody::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            GatewayBody::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            GatewayBody::Stream(frames) | GatewayBody::Pieces(frames) => {
                frames.as_mut().poll_next(cx).map(|frame| frame.map(|data| Ok(Frame::data(data))))
            }
            GatewayBody::Packed(frames) => {
                frames.as_mut().poll_next(cx).map(|frame| frame.map(|data| data.map(Frame::data)))
            }
            GatewayBody::Sized { left, frames } => Poll::Ready(match ready!(frames.as_mut().poll_next(cx)) {
                Some(Ok(data)) => {
                    *left = left.saturating_sub(data.len() as u64);
                    Some(Ok(Frame::data(data)))
                }
                Some(Err(error)) => Some(Err(error)),
                None if *left > 0 => Some(Err(io::ErrorKind::UnexpectedEof.into())),
                None => None,
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, GatewayBody::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            GatewayBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            GatewayBody::Stream(_) | GatewayBody::Pieces(_) | GatewayBody::Packed(_) => SizeHint::default(),
            GatewayBody::Sized { left, .. } => SizeHint::with_exact(*left),
        }
    }
}
