//! What is behind sockets: bytes as they are, and inputs that are made into something a decoder further inside will read.

pub mod good;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::member::{GUARDED, OPEN, TOKEN_KEY, exchange};

/// What begins HTTP/2, and the settings that have to come first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const VERBS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"];

/// On the port of clients.
pub fn http1(input: &[u8]) {
    exchange(OPEN.clients, input);
}

/// On the port of metrics.
pub fn metrics_port(input: &[u8]) {
    exchange(OPEN.metrics, input);
}

/// On the port of other members.
pub fn peer_port(input: &[u8]) {
    exchange(OPEN.peers, input);
}

/// Where a handshake is expected.
pub fn tls(input: &[u8]) {
    exchange(OPEN.secure_clients, input);
}

/// A row of frames: each a kind, flags, the number of a stream, a length, and a payload.
pub fn http2(input: &[u8]) {
    let (mut rest, mut said) = (input, PREFACE.to_vec());
    while let [kind, flags, stream, length, after @ ..] = rest {
        let (payload, after) = after.split_at(after.len().min(usize::from(*length)));
        let length = u8::try_from(payload.len()).unwrap_or(u8::MAX);
        said.extend_from_slice(&[0, 0, length, *kind, *flags, 0, 0, 0, *stream]);
        said.extend_from_slice(payload);
        rest = after;
    }
    exchange(OPEN.clients, &said);
}

/// A request in the form that is right: a byte for the verb, lines for the path and headers, an empty one, the body.
pub fn requests(input: &[u8]) {
    let Some((verb, rest)) = input.split_first() else { return };
    let (head, body) = match rest.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&rest[..at], &rest[at + 2..]),
        None => (rest, &b""[..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let path: Vec<u8> = lines.next().unwrap_or_default().iter().copied().filter(u8::is_ascii_graphic).collect();
    let mut said = format!("{} /", VERBS[usize::from(*verb) % VERBS.len()]).into_bytes();
    said.extend_from_slice(&path);
    said.extend_from_slice(b" HTTP/1.1\r\nHost: localhost\r\n");
    for line in lines.filter(|line| line.contains(&b':')) {
        said.extend(line.iter().copied().filter(|byte| !b"\r\0".contains(byte)));
        said.extend_from_slice(b"\r\n");
    }
    said.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    said.extend_from_slice(body);
    exchange(OPEN.clients, &said);
}

/// A row of frames behind a handshake: each a head, a length, and a payload, masked by nothing.
pub fn websocket(input: &[u8]) {
    let mut said = b"GET /v3/watch HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        .to_vec();
    let mut rest = input;
    while let [head, length, after @ ..] = rest {
        let (payload, after) = after.split_at(after.len().min(usize::from(*length)));
        // Longer ones have their length in other bytes.
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
        said.extend_from_slice(&[*head, 0x80 | 126, length[0], length[1], 0, 0, 0, 0]);
        said.extend_from_slice(payload);
        rest = after;
    }
    exchange(OPEN.clients, &said);
}

/// The two parts of a token, a line each, which is signed as it should be.
pub fn tokens(input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let encoded = [parts.next(), parts.next()].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.unwrap_or_default()));
    let signed = encoded.join(".");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, TOKEN_KEY), signed.as_bytes());
    let token = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
    let request = format!(
        "POST /v3/auth/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    exchange(GUARDED.clients, request.as_bytes());
}
