//! A connection that tells somebody else when something comes in.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Who is told.
pub(crate) trait Ear {
    /// These bytes have come in; there is at least one.
    fn hears(&self, data: &[u8]);
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Overheard<S, E> {
    pub(crate) stream: S,
    pub(crate) ear: E,
}

impl<S: AsyncRead + Unpin, E: Ear + Unpin> AsyncRead for Overheard<S, E> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        if let Some(data) = buf.filled().get(before..).filter(|data| !data.is_empty()) {
            self.ear.hears(data);
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin, E: Unpin> AsyncWrite for Overheard<S, E> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
