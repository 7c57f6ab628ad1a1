//! Two connections that are one: what is read of each is written to the other, until both have said that it was all.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, copy_buf};
use tokio::net::TcpStream;

/// Of each direction of each connection.
const BUFFER_BYTES: usize = 16 << 10;
/// When a member has said that it was all, a client may go on for this long; most are gone at once.
const LINGER: Duration = Duration::from_secs(60);

/// Passes everything on, and either end of it: a client that has asked and closes its half still gets its answer.
///
/// # Errors
/// When one of the two fails. Both are closed then.
pub(super) async fn relay(mut client: TcpStream, mut member: TcpStream) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_member, to_member) = member.split();
    let up = one_way(from_client, to_member);
    let down = one_way(from_member, to_client);
    tokio::pin!(up, down);
    tokio::select! {
        sent = &mut up => {
            sent?;
            down.await
        }
        answered = &mut down => {
            answered?;
            tokio::time::timeout(LINGER, up).await.unwrap_or(Ok(()))
        }
    }
}

async fn one_way(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    copy_buf(&mut BufReader::with_capacity(BUFFER_BYTES, from), &mut to).await?;
    to.shutdown().await
}
