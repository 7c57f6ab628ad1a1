//! A connection that tells somebody else when something comes in, or goes out.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Who is told.
pub(crate) trait Ear {
    /// These bytes have come in; there is at least one.
    fn hears(&mut self, data: &[u8]);

    /// The first so many of these bytes were written.
    fn says(&mut self, _data: &[IoSlice<'_>], _written: usize) {}

    /// What is to be said instead of all of these bytes, which are the next ones behind what was written: they count as written
    /// then.
    fn instead(&mut self, _data: &[IoSlice<'_>]) -> Option<Bytes> {
        None
    }

    /// Whether nothing more is to be read: whoever waits for it waits in vain, and has to be ended.
    fn has_heard_enough(&self) -> bool {
        false
    }
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Overheard<S, E> {
    stream: S,
    ear: E,
    /// What is being written, and was not wholly so far.
    held: Held,
}

#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    /// What was handed over.
    Itself,
    /// What is said instead of it: the rest.
    Instead(Bytes),
}

impl<S, E> Overheard<S, E> {
    pub(crate) fn new(stream: S, ear: E) -> Overheard<S, E> {
        Overheard { stream, ear, held: Held::Nothing }
    }
}

impl<S: AsyncRead + Unpin, E: Ear + Unpin> AsyncRead for Overheard<S, E> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ear.has_heard_enough() {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        if let Some(data) = buf.filled().get(before..).filter(|data| !data.is_empty()) {
            self.ear.hears(data);
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin, E: Ear + Unpin> AsyncWrite for Overheard<S, E> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Overheard { stream, ear, held } = &mut *self;
        if let Held::Nothing = held {
            *held = ear.instead(data).map_or(Held::Itself, Held::Instead);
        }
        let all = data.iter().map(|slice| slice.len()).sum();
        let written = match held {
            Held::Instead(rest) => {
                while !rest.is_empty() {
                    match ready!(Pin::new(&mut *stream).poll_write(cx, rest))? {
                        0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                        written => rest.advance(written),
                    }
                }
                all
            }
            Held::Nothing | Held::Itself => ready!(Pin::new(stream).poll_write_vectored(cx, data))?,
        };
        if written == all {
            *held = Held::Nothing;
        }
        ear.says(data, written);
        Poll::Ready(Ok(written))
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
