//! A connection that came in, on its way to whoever serves it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::{Secure, Socket, StdSocket, Stream, Wire};
use crate::tls::{self, Acceptor, CertificateIdentity};

/// Said to those who do not encrypt where it is asked for, in their own words.
const PLAIN_REQUEST: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// How requests begin, as far as five letters go.
const PLAIN_STARTS: [&[u8; 5]; 5] = [b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO"];
/// Until the first bytes are there. Nothing is kept for who says nothing but the connection itself.
const SILENCE: Duration = Duration::from_secs(10);

/// How long who is turned away may take to hear it.
const FAREWELL: Duration = Duration::from_secs(1);

/// See the module's text.
pub(crate) struct Arrival {
    socket: StdSocket,
    /// Where it comes from; `None` over unix sockets.
    pub(crate) remote: Option<SocketAddr>,
    tls: Option<Acceptor>,
}

/// What can be spoken on.
pub(crate) struct Ready {
    pub(crate) socket: Socket,
    /// `None` on a connection without encryption.
    pub(crate) identity: Option<CertificateIdentity>,
}

impl Arrival {
    pub(super) fn new(socket: StdSocket, remote: Option<SocketAddr>, tls: Option<Acceptor>) -> Arrival {
        Arrival { socket, remote, tls }
    }

    /// Takes it over for the event loop that runs this, and encrypts it where that is asked for. `None` if nothing came of
    /// it, which is logged.
    ///
    /// # Errors
    /// When the system does not let go of it.
    pub(crate) async fn take(self) -> io::Result<Option<Ready>> {
        let Arrival { socket, remote, tls } = self;
        let wire = Wire::try_from(socket)?;
        let Some(tls) = tls else { return Ok(Some(Ready { socket: Socket::Plain(wire), identity: None })) };
        // In a box, which those who do not encrypt need not carry around for as long as they are connected.
        Box::pin(encrypt(wire, remote, tls)).await
    }

    /// Turns it away with a word, where that can be understood at once.
    pub(crate) async fn turn_away(self, word: &[u8]) {
        let Arrival { socket, tls: None, .. } = self else { return };
        // Whoever is not there any more need not be told.
        let Ok(wire) = Wire::try_from(socket) else { return };
        let farewell = async {
            // Nothing is known of a new socket before it has been asked.
            poll_fn(|cx| wire.poll_write_ready(cx)).await?;
            let stream = Stream::from(Socket::Plain(wire));
            stream.say(word);
            stream.linger().await;
            Ok::<_, io::Error>(())
        };
        // Whether he hears it or not, past that he is not waited for.
        let _ = timeout(FAREWELL, farewell).await;
    }
}

async fn encrypt(wire: Wire, remote: Option<SocketAddr>, tls: Acceptor) -> io::Result<Option<Ready>> {
    let Some((wire, heard)) = begins(wire).await else { return Ok(None) };
    let Some(accepted) = tls.accept(wire, heard, remote).await else { return Ok(None) };
    let secure = Secure::new(accepted.io, accepted.session)?;
    Ok(Some(Ready { socket: Socket::Secure(Box::new(secure)), identity: Some(accepted.identity) }))
}

/// The connection and what came first, if that may begin a handshake. Who sends a plain request is told.
async fn begins(mut wire: Wire) -> Option<(Wire, Vec<u8>)> {
    let heard = match timeout(SILENCE, first(&mut wire)).await {
        Ok(Ok(heard)) if !heard.is_empty() => heard,
        _ => return None,
    };
    if !PLAIN_STARTS.iter().any(|plain| heard.starts_with(*plain)) {
        return Some((wire, heard));
    }
    let stream = Stream::from(Socket::Plain(wire));
    stream.say(PLAIN_REQUEST);
    stream.linger().await;
    None
}

/// Nothing if the other side says nothing more.
async fn first(wire: &mut Wire) -> io::Result<Vec<u8>> {
    poll_fn(|cx| wire.poll_read_ready(cx)).await?;
    let mut heard = Vec::with_capacity(tls::GREETING_BYTES);
    wire.read_buf(&mut heard).await?;
    Ok(heard)
}
