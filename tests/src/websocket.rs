//! WebSocket by hand: frames as somebody likes to write them, and what comes back.

use std::net::SocketAddr;

use serde_json::Value;

use crate::raw::Raw;

/// Kinds of frames.
pub mod opcode {
    #![allow(missing_docs, reason = "as the standard calls them")]
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

/// The bit of a message's last frame.
pub const FIN: u8 = 0x80;

/// A client's frame behind this first byte, masked as it must be.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1u8, 2, 3, 4];
    let mut frame = head(first, payload.len(), true);
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// What a frame announces.
pub fn head(first: u8, length: usize, masked: bool) -> Vec<u8> {
    let bit = if masked { 0x80 } else { 0 };
    let mut head = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => head.push(bit | short),
        (_, Ok(length)) => {
            head.push(bit | 126);
            head.extend(length.to_be_bytes());
        }
        _ => {
            head.push(bit | 127);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head
}

/// A client's text.
pub fn text(message: &str) -> Vec<u8> {
    frame(FIN | opcode::TEXT, message.as_bytes())
}

/// Asks for a WebSocket; the connection and the head of the answer. `more` are lines of the request's head.
///
/// # Panics
/// If there is no answer.
pub async fn open(addr: SocketAddr, path: &str, more: &str) -> (Raw, String) {
    let mut raw = Raw::connect(addr).await;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    );
    assert!(raw.send(request).await, "{path}");
    let head = raw.read_until(b"\r\n\r\n").await.expect("the head of an answer");
    (raw, String::from_utf8_lossy(&head).into_owned())
}

/// The next frame: its kind and its payload; none at the end of the connection.
pub async fn next(raw: &mut Raw) -> Option<(u8, Vec<u8>)> {
    let head = raw.take(2).await?;
    let length = match head.get(1)? & 0x7f {
        126 => u16::from_be_bytes(raw.take(2).await?.try_into().ok()?).into(),
        127 => usize::try_from(u64::from_be_bytes(raw.take(8).await?.try_into().ok()?)).ok()?,
        length => length.into(),
    };
    Some((head.first()? & 0x0f, raw.take(length).await?))
}

/// The next text; whatever else comes is passed over.
///
/// # Panics
/// If the connection ends, or the text is not JSON.
pub async fn message(raw: &mut Raw) -> Value {
    loop {
        let (kind, payload) = next(raw).await.expect("the connection goes on");
        if kind == opcode::TEXT {
            return serde_json::from_slice(&payload).expect("JSON");
        }
    }
}

/// The code of the close frame, once that comes; none if the connection ends without one.
pub async fn closed(raw: &mut Raw) -> Option<u16> {
    loop {
        let (kind, payload) = next(raw).await?;
        if kind == opcode::CLOSE {
            return payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        }
    }
}
