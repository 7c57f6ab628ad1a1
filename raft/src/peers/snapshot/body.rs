//! A request body whose frames another thread makes, as fast as the connection takes them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

/// Bytes that have moved so far; somebody else looks whether it still grows.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<AtomicU64>);

impl Progress {
    pub(super) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether it is the same.
    pub(super) fn is(&self, other: &Progress) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The reading end of a channel as a body. An error in it, or its end without one, ends the body accordingly.
#[derive(Debug)]
pub(super) struct ChannelBody {
    pub(super) frames: mpsc::Receiver<io::Result<Bytes>>,
    pub(super) progress: Progress,
}

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(self.frames.poll_recv(cx));
        Poll::Ready(frame.map(|bytes| {
            bytes.map(|bytes| {
                self.progress.add(bytes.len());
                Frame::data(bytes)
            })
        }))
    }
}
