//! Where the bytes of a request's body come from.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::http::{BoxError, Unread};

#[derive(Debug)]
pub(super) enum Source {
    Connection(Arriving),
    Whole(Option<Bytes>),
}

/// A body on its way, and where to put it down before its end.
#[derive(Debug)]
pub(super) struct Arriving {
    /// None once it has ended, or was given up.
    incoming: Option<Incoming>,
    unread: Arc<Unread>,
}

impl Arriving {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => {}
            // What follows makes no sense, if anything does.
            Some(Err(_)) => self.give_up(),
            None => self.incoming = None,
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn give_up(&mut self) {
        self.incoming = None;
        self.unread.leave();
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(incoming) = self.incoming.take().filter(|incoming| !incoming.is_end_stream()) {
            self.unread.put_down(incoming);
        }
    }
}

impl Source {
    /// What is dropped before its end is put down at `unread`.
    pub(super) fn arriving(incoming: Incoming, unread: &Arc<Unread>) -> Source {
        if incoming.is_end_stream() {
            Source::Whole(None)
        } else {
            Source::Connection(Arriving { incoming: Some(incoming), unread: Arc::clone(unread) })
        }
    }

    /// Has nobody wait for the rest of it any more.
    pub(super) fn give_up(&mut self) {
        match self {
            Source::Connection(arriving) => arriving.give_up(),
            Source::Whole(data) => *data = None,
        }
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Source::Connection(arriving) => arriving.poll_frame(cx),
            Source::Whole(data) => Poll::Ready(data.take().map(|data| Ok(Frame::data(data)))),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Source::Connection(Arriving { incoming: Some(incoming), .. }) => incoming.size_hint(),
            Source::Connection(_) | Source::Whole(None) => SizeHint::with_exact(0),
            Source::Whole(Some(data)) => SizeHint::with_exact(data.len() as u64),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Source::Connection(arriving) => arriving.incoming.as_ref().is_none_or(Body::is_end_stream),
            Source::Whole(data) => data.is_none(),
        }
    }
}
