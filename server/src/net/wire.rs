//! A connected socket of whatever kind, with nothing between it and the system.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// See the module's text.
#[derive(Debug)]
pub(crate) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket on its way to the event loop that will serve it.
pub(crate) enum StdSocket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// Calls the same method of whichever socket it is.
macro_rules! delegate {
    ($self:expr, $socket:ident => $call:expr) => {
        match $self {
            Wire::Tcp($socket) => $call,
            Wire::Unix($socket) => $call,
        }
    };
}

impl TryFrom<StdSocket> for Wire {
    type Error = io::Error;

    /// From here on it belongs to the event loop that runs this.
    fn try_from(socket: StdSocket) -> io::Result<Wire> {
        Ok(match socket {
            StdSocket::Tcp(socket) => Wire::Tcp(TcpStream::from_std(socket)?),
            StdSocket::Unix(socket) => Wire::Unix(UnixStream::from_std(socket)?),
        })
    }
}

impl Wire {
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, socket => socket.poll_read_ready(cx))
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, socket => socket.poll_write_ready(cx))
    }

    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        delegate!(self, socket => socket.try_read(buffer))
    }

    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        delegate!(self, socket => socket.try_write_vectored(slices))
    }

    /// Whether the other side has said that it sends nothing more, or is gone: which of the two cannot be told before
    /// something is written. What has been sent before and is not read yet hides it.
    pub(super) fn poll_read_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if ready!(self.poll_read_ready(cx)).is_err() {
                return Poll::Ready(());
            }
            let readiness = delegate!(self, socket => pin!(socket.ready(Interest::READABLE)).poll(cx));
            match readiness {
                Poll::Ready(Ok(ready)) if !ready.is_read_closed() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => continue,
            }
            // It may be ready only because nobody has found yet that there is nothing more to read. The look takes that
            // back, and the next round waits.
            let mut byte = [MaybeUninit::uninit()];
            let looked =
                delegate!(self, socket => socket.try_io(Interest::READABLE, || SockRef::from(socket).peek(&mut byte)));
            match looked {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => return Poll::Pending,
            }
        }
    }

    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        delegate!(self, socket => SockRef::from(socket).shutdown(Shutdown::Write))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), socket => Pin::new(socket).poll_read(cx, buf))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self.get_mut(), socket => Pin::new(socket).poll_write(cx, data))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self.get_mut(), socket => Pin::new(socket).poll_write_vectored(cx, data))
    }

    fn is_write_vectored(&self) -> bool {
        delegate!(self, socket => socket.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), socket => Pin::new(socket).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), socket => Pin::new(socket).poll_shutdown(cx))
    }
}
