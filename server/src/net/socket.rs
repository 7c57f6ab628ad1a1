//! A connection of whatever kind, accepted or dialled, encrypted or not.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use keyport_raft::peers::PeerStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Secure, Wire};

/// See the module's text.
#[derive(Debug)]
pub(crate) enum Socket {
    Plain(Wire),
    Secure(Box<Secure>),
}

/// Calls the same method of whichever it is.
macro_rules! delegate {
    ($self:expr, $socket:ident => $call:expr) => {
        match $self {
            Socket::Plain($socket) => $call,
            Socket::Secure($socket) => $call,
        }
    };
}

impl Socket {
    /// Whether the other side sends nothing more, or is gone; see [`Wire::poll_read_closed`].
    pub(super) fn poll_read_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        delegate!(self, socket => socket.poll_read_closed(cx))
    }

    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        delegate!(self, socket => socket.shutdown_write())
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), socket => Pin::new(socket).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
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

impl PeerStream for Socket {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        delegate!(self, socket => socket.try_write(slices))
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        delegate!(self, socket => socket.try_read(buffer))
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Plain(socket) => socket.poll_write_ready(cx),
            Socket::Secure(socket) => socket.poll_writable(cx),
        }
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Plain(socket) => socket.poll_read_ready(cx),
            Socket::Secure(socket) => socket.poll_readable(cx),
        }
    }
}

/// For clients of HTTP that keep connections.
impl Connection for Socket {
    /// Which version of HTTP was agreed on is what was asked for: each client has one.
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
