//! A connected socket of whatever kind, accepted or dialled. What else may carry a connection becomes a kind of it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use keyport_raft::peers::PeerStream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};

/// See the module's text.
#[derive(Debug)]
pub(crate) enum Socket {
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
            Socket::Tcp($socket) => $call,
            Socket::Unix($socket) => $call,
        }
    };
}

impl TryFrom<StdSocket> for Socket {
    type Error = io::Error;

    /// From here on it belongs to the event loop that runs this.
    fn try_from(socket: StdSocket) -> io::Result<Socket> {
        Ok(match socket {
            StdSocket::Tcp(socket) => Socket::Tcp(TcpStream::from_std(socket)?),
            StdSocket::Unix(socket) => Socket::Unix(UnixStream::from_std(socket)?),
        })
    }
}

impl Socket {
    /// Away from the event loop that it belongs to.
    pub(super) fn into_std(self) -> io::Result<StdSocket> {
        Ok(match self {
            Socket::Tcp(socket) => StdSocket::Tcp(socket.into_std()?),
            Socket::Unix(socket) => StdSocket::Unix(socket.into_std()?),
        })
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, socket => socket.poll_read_ready(cx))
    }

    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        delegate!(self, socket => socket.ready(interest).await)
    }

    /// Has `operation` done on the socket; that it would block is remembered.
    pub(super) fn try_io<T>(
        &self,
        interest: Interest,
        operation: impl FnOnce(SockRef<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        delegate!(self, socket => socket.try_io(interest, || operation(SockRef::from(socket))))
    }

    pub(super) fn as_raw(&self) -> SockRef<'_> {
        delegate!(self, socket => SockRef::from(socket))
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
        delegate!(self, socket => socket.try_write_vectored(slices))
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        delegate!(self, socket => socket.try_read(buffer))
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, socket => socket.poll_write_ready(cx))
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }
}

/// For clients of HTTP that keep connections.
impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
