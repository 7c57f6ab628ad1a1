//! The one type of all answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::body::Body as GrpcBody;

use crate::faces::grpc::HotBody;
use crate::faces::text::GatewayBody;
use crate::http::BoxError;

pin_project! {
    /// The body of whichever face answered.
    #[project = AnyBodyProj]
    #[derive(Debug)]
    pub enum AnyBody {
        Hot { #[pin] body: HotBody },
        Grpc { #[pin] body: GrpcBody },
        Gateway { #[pin] body: GatewayBody },
        Http { #[pin] body: axum::body::Body },
        Whole { data: Option<Bytes> },
    }
}

impl From<Bytes> for AnyBody {
    fn from(data: Bytes) -> AnyBody {
        AnyBody::Whole { data: Some(data).filter(|data| !data.is_empty()) }
    }
}

impl Default for AnyBody {
    fn default() -> AnyBody {
        AnyBody::Whole { data: None }
    }
}

impl Body for AnyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
            AnyBodyProj::Hot { body } => body.poll_frame(cx).map(|f| f.map(|f| f.map_err(Into::into))),
            AnyBodyProj::Grpc { body } => body.poll_frame(cx).map(|f| f.map(|f| f.map_err(Into::into))),
            AnyBodyProj::Gateway { body } => body.poll_frame(cx).map(|f| f.map(|f| f.map_err(Into::into))),
            AnyBodyProj::Http { body } => body.poll_frame(cx).map(|f| f.map(|f| f.map_err(Into::into))),
            AnyBodyProj::Whole { data } => Poll::Ready(data.take().map(|data| Ok(Frame::data(data)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnyBody::Hot { body } => body.is_end_stream(),
            AnyBody::Grpc { body } => body.is_end_stream(),
            AnyBody::Gateway { body } => body.is_end_stream(),
            AnyBody::Http { body } => body.is_end_stream(),
            AnyBody::Whole { data } => data.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnyBody::Hot { body } => body.size_hint(),
            AnyBody::Grpc { body } => body.size_hint(),
            AnyBody::Gateway { body } => body.size_hint(),
            AnyBody::Http { body } => body.size_hint(),
            AnyBody::Whole { data } => SizeHint::with_exact(data.as_ref().map_or(0, |data| data.len() as u64)),
        }
    }
}
