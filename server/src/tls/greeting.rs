//! The messages of a handshake, read and written in turn by the side that was called.
//!
//! In TLS 1.3 something is left to send after the last of them (what a session may be taken up again with), for which
//! nobody waits. It stays in the session: whoever writes next sends it along, in the same packet.

use std::io::{self, ErrorKind};

use rustls::server::{Accepted, AcceptedAlert, Acceptor};
use rustls::{Error, ProtocolVersion, ServerConnection};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Read at a time: a greeting is smaller, what follows a handshake at once mostly, too.
pub(crate) const GREETING_BYTES: usize = 4096;

/// What the caller says first; its beginning has been heard already. The room for it is used again.
///
/// # Errors
/// The connection's own, or why it is no greeting, which the caller has been told.
pub(super) async fn hello<S>(io: &mut S, heard: &mut Vec<u8>) -> io::Result<Accepted>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut greeting = Acceptor::default();
    loop {
        let mut read = heard.as_slice();
        while !read.is_empty() {
            greeting.read_tls(&mut read)?;
            match greeting.accept() {
                // Nobody says more before he is answered.
                Ok(Some(accepted)) => return Ok(accepted),
                Ok(None) => {}
                Err(refusal) => return Err(refused(io, refusal).await),
            }
        }
        hear(io, heard).await?;
    }
}

/// Tells a caller why it cannot be gone on with what he said first.
pub(super) async fn refused<S>(io: &mut S, (error, mut alert): (Error, AcceptedAlert)) -> io::Error
where
    S: AsyncWrite + Unpin,
{
    let mut said = Vec::new();
    // He may be gone.
    let _ = alert.write_all(&mut said);
    let _ = io.write_all(&said).await;
    io::Error::new(ErrorKind::InvalidData, error)
}

/// All that comes after that, until both sides can send what they like.
///
/// # Errors
/// The connection's own, or what is wrong with what the caller said, which he has been told.
pub(super) async fn finish<S>(io: &mut S, session: &mut ServerConnection, heard: &mut Vec<u8>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while session.is_handshaking() {
        send(io, session).await?;
        hear(io, heard).await?;
        let mut read = heard.as_slice();
        while !read.is_empty() {
            session.read_tls(&mut read)?;
            if let Err(error) = session.process_new_packets() {
                let _ = send(io, session).await;
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
    }
    // Before TLS 1.3 the last word is this side's, and waited for.
    if session.protocol_version() == Some(ProtocolVersion::TLSv1_3) { Ok(()) } else { send(io, session).await }
}

/// At least a byte.
async fn hear<S>(io: &mut S, heard: &mut Vec<u8>) -> io::Result<()>
where
    S: AsyncRead + Unpin,
{
    heard.clear();
    heard.reserve(GREETING_BYTES);
    match io.read_buf(heard).await? {
        0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "tls handshake eof")),
        _ => Ok(()),
    }
}

async fn send<S>(io: &mut S, session: &mut ServerConnection) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    let mut said = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut said)?;
    }
    io.write_all(&said).await?;
    io.flush().await
}
