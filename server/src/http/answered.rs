//! Answers that tell a connection's [`Vigil`](super::vigil::Vigil) when something of them goes out, and when they end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::vigil::Answering;

pin_project! {
    /// An answer under way, or its body.
    #[derive(Debug)]
    pub(crate) struct Answered<T> {
        #[pin]
        inner: T,
        answering: Option<Answering>,
    }
}

impl<T> Answered<T> {
    /// `answering` ends with it, or with its body.
    pub(crate) fn new(inner: T, answering: Option<Answering>) -> Answered<T> {
        Answered { inner, answering }
    }
}

impl<F: Future<Output = Result<Response<B>, E>>, B, E> Future for Answered<F> {
    type Output = Result<Response<Answered<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.inner.poll(cx).map_ok(|response| {
            let answering = this.answering.take();
            answering.iter().for_each(Answering::speaks);
            response.map(|body| Answered::new(body, answering))
        })
    }
}

impl<B: Body<Data = Bytes>> Body for Answered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = this.inner.poll_frame(cx);
        if frame.is_ready() {
            this.answering.iter().for_each(Answering::speaks);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
