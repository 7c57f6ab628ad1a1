//! Reading the body of a request that is needed as a whole, within its bound.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use keyport_api::error::Error;

use crate::http::{BodyTooLarge, BoxError};

/// Why a request's body could not be had.
#[derive(Debug, thiserror::Error)]
pub(in crate::faces) enum CollectError {
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

/// Reads a body of no interest to its end; how large it may be is for the stack in front to say.
pub(super) async fn discard<B>(mut body: Pin<&mut B>) -> Result<(), CollectError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let mut budget = Budget { left: usize::MAX, limit: usize::MAX };
    while budget.next(body.as_mut()).await?.is_some() {}
    Ok(())
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
    use http_body::Frame;
    use http_body_util::StreamBody;
    use std::convert::Infallible;

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
