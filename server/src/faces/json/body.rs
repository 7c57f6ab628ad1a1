//! Bodies: reading a unary request within its bound, and the one type every answer of the gateway has.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use keyport_api::error::Error;

use crate::http::{BodyTooLarge, BoxError};

/// The body of an answer: whole, or one frame at a time.
///
/// Each item of a stream becomes one frame, and so exactly one chunk of an HTTP/1.1 answer: clients exist that
/// decode a chunk as a document. It is pulled, never pushed: a connection that does not drain stops the producer.
pub enum GatewayBody {
    /// Everything at once; the length is known, so the answer has a `Content-Length`.
    Full(Bytes),
    /// A stream of frames; the answer is chunked.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

impl GatewayBody {
    /// No body at all.
    pub fn empty() -> GatewayBody {
        GatewayBody::Full(Bytes::new())
    }

    /// One frame for each item.
    pub fn stream(frames: impl Stream<Item = Bytes> + Send + 'static) -> GatewayBody {
        GatewayBody::Stream(Box::pin(frames))
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
        }
    }
}

impl Body for GatewayBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            GatewayBody::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            GatewayBody::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            GatewayBody::Stream(frames) => {
                frames.as_mut().poll_next(cx).map(|frame| frame.map(|data| Ok(Frame::data(data))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, GatewayBody::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            GatewayBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            GatewayBody::Stream(_) => SizeHint::default(),
        }
    }
}

/// Why a request's body could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum CollectError {
    #[error("the request body is larger than the {limit} bytes allowed")]
    TooLarge { limit: usize },
    /// Refused by the stack in front.
    #[error(transparent)]
    Refused(Error),
    #[error("the request body could not be read: {0}")]
    Broken(BoxError),
}

impl CollectError {
    /// The stack in front may have a limit of its own.
    fn of(error: BoxError) -> CollectError {
        match error.downcast_ref::<BodyTooLarge>() {
            Some(too_large) => CollectError::TooLarge { limit: usize::try_from(too_large.limit).unwrap_or(usize::MAX) },
            None => match error.downcast_ref().and_then(Error::from_status) {
                Some(refused) => CollectError::Refused(refused),
                None => CollectError::Broken(error),
            },
        }
    }
}

/// Reads a whole body of at most `limit` bytes. A body that came in one piece is not copied.
///
/// A declared length beyond the limit is refused before anything is read.
pub(super) async fn collect<B>(mut body: Pin<&mut B>, limit: usize) -> Result<Bytes, CollectError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(CollectError::TooLarge { limit });
    }
    let mut budget = Budget { left: limit, limit };
    let Some(first) = budget.next(body.as_mut()).await? else { return Ok(Bytes::new()) };
    let Some(second) = budget.next(body.as_mut()).await? else { return Ok(first) };
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(limit).min(limit);
    let mut whole = BytesMut::with_capacity(first.len() + second.len() + declared);
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while let Some(data) = budget.next(body.as_mut()).await? {
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

struct Budget {
    left: usize,
    limit: usize,
}

impl Budget {
    /// The next data frame, trailers and empty frames skipped; none at the end.
    async fn next<B>(&mut self, mut body: Pin<&mut B>) -> Result<Option<Bytes>, CollectError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        while !body.is_end_stream() {
            let Some(frame) = body.frame().await else { break };
            let Ok(data) = frame.map_err(|error| CollectError::of(error.into()))?.into_data() else { continue };
            self.left = self.left.checked_sub(data.len()).ok_or(CollectError::TooLarge { limit: self.limit })?;
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;

    fn body(parts: &[&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + use<> {
        let frames: Vec<_> = parts.iter().map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))).collect();
        StreamBody::new(tokio_stream::iter(frames))
    }

    #[tokio::test]
    async fn one_piece_is_handed_on_and_several_are_joined() {
        for (parts, whole) in [(&[][..], ""), (&["ab"], "ab"), (&["", "ab", ""], "ab"), (&["a", "b", "", "cd"], "abcd")]
        {
            let body = std::pin::pin!(body(parts));
            assert_eq!(collect(body, 4).await.unwrap(), whole);
        }
        let piece = Bytes::from_static(b"piece");
        let full = std::pin::pin!(http_body_util::Full::new(piece.clone()));
        assert_eq!(collect(full, 100).await.unwrap().as_ptr(), piece.as_ptr());
    }

    #[tokio::test]
    async fn the_limit_holds_with_and_without_a_declared_length() {
        let undeclared = std::pin::pin!(body(&["abc", "de"]));
        assert!(matches!(collect(undeclared, 4).await, Err(CollectError::TooLarge { limit: 4 })));
        let declared = std::pin::pin!(http_body_util::Full::new(Bytes::from_static(b"abcde")));
        assert!(matches!(collect(declared, 4).await, Err(CollectError::TooLarge { limit: 4 })));
    }
}
