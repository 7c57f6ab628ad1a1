//! A connection's socket, shared between what speaks on it and those who have to know whether the other side still does.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use keyport_raft::peers::PeerStream as _;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{Socket, turn};

/// How long what a client still sends is read after the last answer, and how many bytes of it: whoever sends a large body
/// reads the answer only afterwards, and a socket that is closed over unread bytes takes the answer back.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_BYTES: usize = 64 << 20;

/// A connection. Clones are the same; the lock is only ever taken by the task that serves it.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    socket: Arc<Mutex<Socket>>,
    /// Dropped with the last of the clones that were lent.
    _lent: Option<Arc<oneshot::Sender<Infallible>>>,
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Stream {
        Stream { socket: Arc::new(Mutex::new(socket)), _lent: None }
    }
}

impl Stream {
    /// A clone for whoever speaks on it, and what ends when that one is gone: a connection may be handed on.
    pub(crate) fn lend(&self) -> (Stream, oneshot::Receiver<Infallible>) {
        let (lent, returned) = oneshot::channel();
        (Stream { socket: Arc::clone(&self.socket), _lent: Some(Arc::new(lent)) }, returned)
    }

    /// Whether the other side has said that it sends nothing more, or is gone: which of the two cannot be told before
    /// something is written. To be polled by the task that reads. What has been sent before and is not read yet hides it.
    pub(crate) fn poll_read_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.lock().poll_read_closed(cx)
    }

    /// Closes for writing, then reads what still comes and throws it away, up to a bound in time and size.
    pub(crate) async fn linger(&self) {
        if self.shutdown_write().is_err() {
            return;
        }
        let end = Instant::now() + LINGER;
        let (mut stream, mut left) = (self.clone(), LINGER_BYTES);
        let mut buffer = vec![0; 16 * 1024];
        while left > 0 {
            match timeout_at(end, stream.read(&mut buffer)).await {
                Ok(Ok(read)) if read > 0 => left = left.saturating_sub(read),
                _ => return,
            }
        }
    }

    /// Sends a last word, if there is room for it.
    pub(crate) fn say(&self, word: &[u8]) {
        // Whoever does not read it does not miss it.
        let _ = self.socket.lock().try_write(&[IoSlice::new(word)]);
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.socket.lock().shutdown_write()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if turn::has_read_enough(cx) {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut *self.socket.lock()).poll_read(cx, buf);
        turn::has_read(buf.filled().len().saturating_sub(before));
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.socket.lock()).poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.socket.lock()).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.lock().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.socket.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.socket.lock()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Wire;
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};

    async fn pair() -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (ours, theirs) = tokio::join!(listener.accept(), TcpStream::connect(listener.local_addr().unwrap()));
        (theirs.unwrap(), Stream::from(Socket::Plain(Wire::Tcp(ours.unwrap().0))))
    }

    /// What fits a socket's buffers is read in several goes, between which others have theirs.
    #[tokio::test]
    async fn nobody_reads_without_end() {
        let (mut theirs, mut ours) = pair().await;
        let sender = tokio::spawn(async move { theirs.write_all(&vec![7; 1 << 20]).await });
        let (mut read, mut most) = (0, 0);
        while read < 1 << 20 {
            let mut buffer = vec![0; 8 * 1024];
            // All that is there, as a task would.
            let at_once = turn::InTurn::new(poll_fn(|cx| {
                let mut count = 0;
                loop {
                    let mut buffer = ReadBuf::new(&mut buffer);
                    match Pin::new(&mut ours).poll_read(cx, &mut buffer) {
                        Poll::Ready(Ok(())) if !buffer.filled().is_empty() => count += buffer.filled().len(),
                        Poll::Pending if count == 0 => return Poll::Pending,
                        _ => return Poll::Ready(count),
                    }
                }
            }))
            .await;
            read += at_once;
            most = most.max(at_once);
        }
        sender.await.unwrap().unwrap();
        assert!(most <= turn::READ_BYTES + 8 * 1024, "{most} bytes at once");
    }

    #[tokio::test]
    async fn it_is_seen_that_the_other_side_sends_no_more() {
        let (mut theirs, mut ours) = pair().await;
        theirs.write_all(b"all").await.unwrap();
        let mut buffer = [0; 3];
        ours.read_exact(&mut buffer).await.unwrap();
        assert!(poll_fn(|cx| Poll::Ready(ours.poll_read_closed(cx).is_pending())).await);
        theirs.shutdown().await.unwrap();
        poll_fn(|cx| ours.poll_read_closed(cx)).await;
        // It may still read.
        ours.write_all(b"an answer").await.unwrap();
        drop(ours);
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "an answer");
    }

    #[tokio::test]
    async fn whoever_sends_much_reads_the_last_answer_all_the_same() {
        let (mut theirs, mut ours) = pair().await;
        let client = tokio::spawn(async move {
            theirs.write_all(&vec![7; 20 << 20]).await.unwrap();
            let mut answer = String::new();
            theirs.read_to_string(&mut answer).await.unwrap();
            answer
        });
        let mut first = [0; 16];
        ours.read_exact(&mut first).await.unwrap();
        ours.write_all(b"too much").await.unwrap();
        ours.linger().await;
        assert_eq!(client.await.unwrap(), "too much");
    }
}
