//! A client of WebSocket whose frames are made by hand.

use std::net::SocketAddr;

use serde_json::Value;

use crate::raw::Raw;

/// A connection after the handshake.
#[derive(Debug)]
pub struct WebSocket {
    /// For frames that nobody should make.
    pub raw: Raw,
}

/// A client's text frame, masked as it must be.
///
/// # Panics
/// If it has more than 64 KiB.
pub fn text(message: &str) -> Vec<u8> {
    let mask = [1u8, 2, 3, 4];
    let mut frame = vec![0x81];
    match u8::try_from(message.len()) {
        Ok(length @ ..126) => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(message.len()).expect("a length in two bytes").to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(message.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

impl WebSocket {
    /// Asks for one, with these lines in the head besides; the head of the answer.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn open(addr: SocketAddr, path: &str, more: &str) -> (WebSocket, String) {
        let mut raw = Raw::connect(addr).await;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
        );
        assert!(raw.send(request).await, "the server takes the handshake");
        let head = raw.read_until(b"\r\n\r\n").await.expect("a whole head");
        (WebSocket { raw }, String::from_utf8(head).expect("a head in ASCII"))
    }

    /// Sends a message; whether the server still took it.
    pub async fn send(&mut self, message: &str) -> bool {
        self.raw.send(text(message)).await
    }

    /// The next text message; pings are skipped.
    ///
    /// # Panics
    /// If the connection ends before, or it is not JSON.
    pub async fn message(&mut self) -> Value {
        loop {
            let head = self.read(2).await;
            let length = match head[1] & 0x7f {
                126 => number(&self.read(2).await),
                127 => number(&self.read(8).await),
                length => usize::from(length),
            };
            let payload = self.read(length).await;
            if head[0] & 0x0f == 1 {
                return serde_json::from_slice(&payload).expect("a message in JSON");
            }
        }
    }

    async fn read(&mut self, count: usize) -> Vec<u8> {
        while self.raw.buffer.len() < count {
            assert!(self.raw.read_more().await, "the connection ended");
        }
        let rest = self.raw.buffer.split_off(count);
        std::mem::replace(&mut self.raw.buffer, rest)
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}
