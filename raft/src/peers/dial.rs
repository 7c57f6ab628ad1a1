//! What streams and snapshots go out on. Who opens a connection, and what carries it, is up to the process.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Opens connections to peers.
pub trait Dial: Send + Sync + 'static {
    /// Whether a URL is of a kind that can be dialled.
    ///
    /// # Errors
    /// [`DialError::Url`].
    fn check(&self, url: &str) -> Result<(), DialError>;

    /// A connection that sends what is written without delay, or why there is none within `patience`. Tasks that it needs
    /// run on the runtime that this is called on.
    fn dial<'a>(&'a self, url: &'a str, patience: Duration) -> Dialling<'a>;
}

/// A connection under way.
pub type Dialling<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn PeerStream>, DialError>> + Send + 'a>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No place that can be dialled, now or later.
    #[error("{0}")]
    Url(String),
    /// Nobody is there.
    #[error("{0}")]
    Connect(#[from] io::Error),
    /// It took too long.
    #[error("timed out")]
    Timeout,
}

/// A connection to a peer. Besides what any connection does, what fits can be written, and what is there can be read, by
/// whoever has a reference and must not wait: the node's thread writes while a task looks for what comes in.
pub trait PeerStream: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin {
    /// Writes what fits now; `WouldBlock` when nothing does.
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Reads what is there; `WouldBlock` when nothing is.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Ready when it is worth while to write. Only the last task that asked is woken.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready when it is worth while to read. Only the last task that asked is woken.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl PeerStream for TcpStream {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(slices)
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        TcpStream::try_read(self, buffer)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(cx)
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }
}
