//! An encrypted connection, after the handshake.
//!
//! What is to be sent is encrypted at once, up to a bound, and what the socket does not take waits here. For tasks that is
//! a buffer like others, which they flush. Raft's thread writes without a task: [`Secure::try_write`] says that bytes are
//! written only when the last one of what was made of them has left. Until then they stay in the link's outbox, which is
//! bounded, and whose task waits for the socket; so nothing waits where nobody looks after it.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use rustls::Connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Wire;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Secure {
    wire: Wire,
    session: Mutex<Session>,
}

#[derive(Debug)]
struct Session {
    tls: Connection,
    /// Decrypted and not read yet.
    readable: usize,
    /// The other side sends nothing more.
    is_at_end: bool,
    /// Encrypted of what [`Secure::try_write`] was offered, and not said to be written so far.
    owed: usize,
    /// What is to be sent is left of the handshake: nobody waits for it, and it goes with what is written first.
    is_held: bool,
}

/// The socket for one step of a session.
struct Steps<'a>(&'a Wire);

impl io::Read for Steps<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl io::Write for Steps<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.try_write(&[IoSlice::new(data)])
    }

    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The socket for a step of a task, which is woken when there is more.
struct Polled<'a, 'b>(&'a mut Wire, &'a mut Context<'b>);

impl io::Read for Polled<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.0).poll_read(self.1, &mut buffer) {
            Poll::Ready(read) => read.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Secure {
    /// # Errors
    /// When what came along with the handshake is wrong.
    pub(super) fn new(wire: Wire, tls: impl Into<Connection>) -> io::Result<Secure> {
        let tls = tls.into();
        let mut session = Session { readable: 0, is_at_end: false, owed: 0, is_held: tls.wants_write(), tls };
        session.decrypt()?;
        Ok(Secure { wire, session: Mutex::new(session) })
    }

    /// Writes what of the slices can leave at once. Whoever is told that it would block offers the same bytes again, which
    /// may be followed by more.
    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut session = self.session.lock();
        session.send(&self.wire)?;
        if session.owed == 0 {
            session.owed = session.tls.writer().write_vectored(slices)?;
            session.send(&self.wire)?;
        }
        Ok(std::mem::take(&mut session.owed))
    }

    /// Reads what is there.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut session = self.session.lock();
        loop {
            if let Some(read) = session.take(buffer)? {
                return Ok(read);
            }
            session.receive(&mut Steps(&self.wire))?;
            session.answer(&self.wire);
        }
    }

    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll_write_ready(cx)
    }

    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let session = self.session.lock();
        if session.readable > 0 || session.is_at_end { Poll::Ready(Ok(())) } else { self.wire.poll_read_ready(cx) }
    }

    /// As [`Wire::poll_read_closed`]: what has come in is decrypted, as the end is told in it.
    pub(super) fn poll_read_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut session = self.session.lock();
        loop {
            if session.readable > 0 {
                return Poll::Pending;
            }
            if session.is_at_end {
                return Poll::Ready(());
            }
            match session.receive(&mut Steps(&self.wire)) {
                Ok(()) => session.answer(&self.wire),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if ready!(self.wire.poll_read_ready(cx)).is_err() {
                        return Poll::Ready(());
                    }
                }
                Err(_) => return Poll::Ready(()),
            }
        }
    }

    /// Says that nothing more is sent.
    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        let mut session = self.session.lock();
        session.tls.send_close_notify();
        // Without room for it the end of the connection says the same.
        let _ = session.send(&self.wire);
        self.wire.shutdown_write()
    }

    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.session.lock().send(&self.wire) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
            ready!(self.wire.poll_write_ready(cx))?;
        }
    }
}

impl Session {
    /// Sends all that waits.
    fn send(&mut self, wire: &Wire) -> io::Result<()> {
        self.is_held = false;
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Steps(wire)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes in what the socket has, once.
    fn receive(&mut self, wire: &mut impl io::Read) -> io::Result<()> {
        match self.tls.read_tls(wire) {
            // Without the other side's word that this is all: what is still to come may have been cut off.
            Ok(0) => {
                self.is_at_end = true;
                Ok(())
            }
            Ok(_) => self.decrypt(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn decrypt(&mut self) -> io::Result<()> {
        let state =
            self.tls.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.readable = state.plaintext_bytes_to_read();
        self.is_at_end |= state.peer_has_closed();
        Ok(())
    }

    /// Sends what is due for what has come in, such as the answer to a change of keys. What finds no room goes with what is
    /// sent next.
    fn answer(&mut self, wire: &Wire) {
        if !self.is_held {
            let _ = self.send(wire);
        }
    }

    /// What is decrypted; nothing at the end, and `None` if there may be more.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.readable == 0 && !self.is_at_end {
            return Ok(None);
        }
        match self.tls.reader().read(buffer) {
            Ok(read) => {
                self.readable = self.readable.saturating_sub(read);
                Ok(Some(read))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = 0;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl AsyncRead for Secure {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Secure { wire, session } = self.get_mut();
        let session = session.get_mut();
        loop {
            // No more of the buffer than is needed: what is new of it has to be zeroed.
            let room = buf.remaining().min(session.readable.max(1));
            if let Some(read) = session.take(buf.initialize_unfilled_to(room))? {
                buf.advance(read);
                return Poll::Ready(Ok(()));
            }
            let received = session.receive(&mut Polled(wire, cx));
            session.answer(wire);
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                received => received?,
            }
        }
    }
}

impl AsyncWrite for Secure {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.session.lock().is_held {
            ready!(self.poll_send(cx))?;
        }
        let mut session = self.session.lock();
        let written = session.tls.writer().write_vectored(data)?;
        match session.send(&self.wire) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(written)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.session.lock().is_held { Poll::Ready(Ok(())) } else { self.poll_send(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.lock().tls.send_close_notify();
        ready!(self.poll_send(cx))?;
        Poll::Ready(self.wire.shutdown_write())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use keyport_raft::peers::PeerStream as _;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::super::Socket;
    use super::*;

    /// Both ends: ours, and a client's.
    async fn pair() -> (Secure, tokio_rustls::client::TlsStream<UnixStream>) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let provider = Arc::new(default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let server =
            server.unwrap().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (ours, theirs) = tokio::join!(
            TlsAcceptor::from(Arc::new(server)).accept(ours),
            TlsConnector::from(Arc::new(client)).connect("localhost".try_into().unwrap(), theirs)
        );
        let (ours, session) = ours.unwrap().into_inner();
        (Secure::new(Wire::Unix(ours), session).unwrap(), theirs.unwrap())
    }

    #[tokio::test]
    async fn much_goes_both_ways_and_the_end_is_told() {
        let (mut ours, mut theirs) = pair().await;
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let client = async {
            theirs.write_all(&sent).await.unwrap();
            theirs.flush().await.unwrap();
            let mut back = Vec::new();
            theirs.read_to_end(&mut back).await.unwrap();
            back
        };
        let server = async {
            let mut read = vec![0; sent.len()];
            ours.read_exact(&mut read).await.unwrap();
            assert!(read == sent);
            ours.write_all(&read).await.unwrap();
            ours.shutdown().await.unwrap();
        };
        let (back, ()) = tokio::join!(client, server);
        assert!(back == sent);
    }

    #[tokio::test]
    async fn it_is_seen_that_the_other_side_sends_no_more() {
        let (mut ours, mut theirs) = pair().await;
        theirs.write_all(b"all").await.unwrap();
        let mut buffer = [0; 3];
        ours.read_exact(&mut buffer).await.unwrap();
        assert!(poll_fn(|cx| Poll::Ready(ours.poll_read_closed(cx).is_pending())).await);
        theirs.write_all(b"x").await.unwrap();
        theirs.shutdown().await.unwrap();
        // What is not read yet hides it.
        poll_fn(|cx| ours.poll_readable(cx)).await.unwrap();
        assert!(poll_fn(|cx| Poll::Ready(ours.poll_read_closed(cx).is_pending())).await);
        ours.read_exact(&mut buffer[..1]).await.unwrap();
        poll_fn(|cx| ours.poll_read_closed(cx)).await;
        // It may still read.
        ours.write_all(b"an answer").await.unwrap();
        ours.flush().await.unwrap();
        let mut answer = [0; 9];
        theirs.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"an answer");
        drop(theirs);
        assert_eq!(ours.read(&mut buffer).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_goes_with_what_is_written_first() {
        let (mut ours, mut theirs) = pair().await;
        let session = ours.session.get_mut();
        session.tls.refresh_traffic_keys().unwrap();
        session.is_held = true;
        ours.flush().await.unwrap();
        let nothing = theirs.get_ref().0.try_read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        ours.write_all(b"an answer").await.unwrap();
        ours.flush().await.unwrap();
        let mut answer = [0; 9];
        theirs.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"an answer");
    }

    /// As the thread of Raft writes: what is said to be written has left, and what would block is offered again.
    #[tokio::test]
    async fn what_is_written_without_waiting_is_whole_and_nothing_is_left_behind() {
        let (ours, mut theirs) = pair().await;
        let ours = Socket::Secure(Box::new(ours));
        let sent: Vec<u8> = (0..2_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut written = 0;
        let mut blocked = 0;
        let mut received = Vec::new();
        let mut buffer = vec![0; 100_000];
        while written < sent.len() {
            let (first, second) = sent[written..].split_at((sent.len() - written).min(1000));
            match ours.try_write(&[IoSlice::new(first), IoSlice::new(second)]) {
                Ok(count) => written += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    blocked += 1;
                    tokio::select! {
                        ready = poll_fn(|cx| ours.poll_writable(cx)) => ready.unwrap(),
                        read = theirs.read(&mut buffer) => received.extend_from_slice(&buffer[..read.unwrap()]),
                    }
                }
            }
        }
        assert!(blocked > 0, "the socket takes less than that at once");
        while received.len() < sent.len() {
            let read = theirs.read(&mut buffer).await.unwrap();
            received.extend_from_slice(&buffer[..read]);
        }
        assert!(received == sent);
    }
}
