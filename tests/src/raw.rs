//! A TCP connection that sends exactly the bytes it is told to: for what no proper client would say.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wait::within;

/// Whoever takes nothing for so long does not read any more. Too short is no mistake but in tests that want to be read.
const STALLED: Duration = Duration::from_secs(2);

/// A raw connection.
#[derive(Debug)]
pub struct Raw {
    tcp: TcpStream,
    /// What has come in and was not taken yet.
    pub buffer: Vec<u8>,
}

impl Raw {
    /// Connects.
    ///
    /// # Panics
    /// If that fails.
    pub async fn connect(addr: SocketAddr) -> Raw {
        let tcp = within("connect", TcpStream::connect(addr)).await.expect("the server accepts");
        tcp.set_nodelay(true).expect("nodelay can be set");
        Raw { tcp, buffer: Vec::new() }
    }

    /// Sends bytes; whether the other side still took them.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within("send", self.tcp.write_all(bytes.as_ref())).await.is_ok()
    }

    /// Sends bytes and takes in what comes meanwhile, as the other side may wait for that; whether it took all of them.
    pub async fn send_reading(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let (mut read, mut write) = self.tcp.split();
        let mut sent = pin!(write.write_all(bytes.as_ref()));
        let buffer = &mut self.buffer;
        within("send", async {
            loop {
                tokio::select! {
                    sent = &mut sent => return sent.is_ok(),
                    count = read.read_buf(buffer) => if !matches!(count, Ok(1..)) {
                        return false;
                    }
                }
            }
        })
        .await
    }

    /// Sends bytes and reads nothing; whether all of them were taken before the other side took none for a while.
    pub async fn send_while_taken(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            match tokio::time::timeout(STALLED, self.tcp.write(rest)).await {
                Ok(Ok(taken @ 1..)) => rest = rest.get(taken..).unwrap_or_default(),
                _ => return false,
            }
        }
        true
    }

    /// Closes our half.
    pub async fn finish(&mut self) {
        let _ = self.tcp.shutdown().await;
    }

    /// Reads once; `false` at the end of the connection.
    pub async fn read_more(&mut self) -> bool {
        matches!(within("read", self.tcp.read_buf(&mut self.buffer)).await, Ok(n) if n > 0)
    }

    /// Reads until the other side closes.
    pub async fn read_to_end(&mut self) -> Vec<u8> {
        while self.read_more().await {}
        std::mem::take(&mut self.buffer)
    }

    /// Reads until `needle` has come in; everything up to and with it. What came instead if the connection ends.
    pub async fn read_until(&mut self, needle: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(needle.len()).position(|w| w == needle) {
                let rest = self.buffer.split_off(at + needle.len());
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            if !self.read_more().await {
                return Err(std::mem::take(&mut self.buffer));
            }
        }
    }

    /// The next so many bytes; none if the connection ends before.
    pub async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.read_more().await {
                return None;
            }
        }
        let rest = self.buffer.split_off(count);
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    /// The status of an HTTP/1.1 answer, after reading its head; 0 if the connection ended without one.
    pub async fn status(&mut self) -> u16 {
        let Ok(head) = self.read_until(b"\r\n\r\n").await else { return 0 };
        let head = String::from_utf8_lossy(&head).into_owned();
        head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
    }

    /// The next chunk of a chunked body, empty for the last one.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.read_until(b"\r\n").await.ok()?;
        let size = String::from_utf8_lossy(&size).trim().to_string();
        let size = usize::from_str_radix(&size, 16).ok()?;
        let mut chunk = self.take(size + 2).await?;
        chunk.truncate(size);
        Some(chunk)
    }
}
