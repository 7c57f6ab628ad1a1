//! HTTP/2 by hand: frames as somebody likes to write them, and what comes back.
//!
//! Headers are literals without indexing, which need no table; of an answer's head only the status is read.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::raw::Raw;

/// What a client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What may be sent before anybody says anything else.
const USUAL_WINDOW: i64 = 65_535;

/// Kinds of frames.
pub mod kind {
    #![allow(missing_docs, reason = "as the standard calls them")]
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    #![allow(missing_docs, reason = "as the standard calls them")]
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
}

/// Why a stream or a connection ends.
pub mod reason {
    #![allow(missing_docs, reason = "as the standard calls them")]
    pub const PROTOCOL_ERROR: u32 = 1;
    pub const FLOW_CONTROL_ERROR: u32 = 3;
    pub const STREAM_CLOSED: u32 = 5;
    pub const FRAME_SIZE_ERROR: u32 = 6;
    pub const CANCEL: u32 = 8;
    pub const COMPRESSION_ERROR: u32 = 9;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

/// A frame as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// See [`kind`].
    pub kind: u8,
    /// See [`flag`].
    pub flags: u8,
    /// 0 for the connection.
    pub stream: u32,
    /// What is in it.
    pub payload: Vec<u8>,
}

/// A frame on the wire.
///
/// # Panics
/// If the payload has a length that does not fit.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a length").to_be_bytes();
    assert_eq!(length[0], 0, "a length in three bytes");
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A setting and its value.
pub fn setting(id: u16, value: u32) -> Vec<u8> {
    frame(kind::SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

/// A stream is given up.
pub fn reset(stream: u32, reason: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &reason.to_be_bytes())
}

/// More room to send in.
pub fn window_update(stream: u32, more: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

/// A number with a prefix of so many bits, below `first`'s own.
fn integer(out: &mut Vec<u8>, first: u8, bits: u8, value: usize) {
    let most = (1 << bits) - 1;
    let Some(mut rest) = value.checked_sub(most) else {
        out.push(first | u8::try_from(value).unwrap_or_default());
        return;
    };
    out.push(first | u8::try_from(most).unwrap_or_default());
    while rest >= 128 {
        out.push(0x80 | u8::try_from(rest % 128).unwrap_or_default());
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap_or_default());
}

/// A name and a value behind this first byte: 0 for one that no table keeps, 0x40 for one that the table does.
pub fn field(out: &mut Vec<u8>, first: u8, name: &[u8], value: &[u8]) {
    out.push(first);
    for text in [name, value] {
        integer(out, 0, 7, text.len());
        out.extend(text);
    }
}

/// Names and values that no table keeps.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    fields.iter().for_each(|(name, value)| field(&mut out, 0, name.as_bytes(), value.as_bytes()));
    out
}

/// What every request says first.
pub fn request(method: &str, path: &str) -> Vec<u8> {
    block(&[(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost")])
}

/// The head of a gRPC call.
pub fn grpc(stream: u32, path: &str) -> Vec<u8> {
    let more = block(&[("content-type", "application/grpc"), ("te", "trailers")]);
    frame(kind::HEADERS, flag::END_HEADERS, stream, &[request("POST", path), more].concat())
}

/// A whole GET.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &request("GET", path))
}

impl Frame {
    /// The status in an answer's first head on its connection; none if this is not one.
    pub fn status(&self) -> Option<u16> {
        if self.kind != kind::HEADERS {
            return None;
        }
        let mut rest = self.payload.as_slice();
        // Changes of the table's size stand before everything else.
        while rest.first()? & 0xe0 == 0x20 {
            let (bytes, _) = number(rest, 5)?;
            rest = rest.get(bytes..)?;
        }
        let (first, rest) = rest.split_first()?;
        match first {
            0x88 => Some(200),
            0x89 => Some(204),
            0x8a => Some(206),
            0x8b => Some(304),
            0x8c => Some(400),
            0x8d => Some(404),
            0x8e => Some(500),
            // A literal whose name is the eighth of the static table.
            0x48 | 0x08 | 0x18 => {
                let (bytes, length) = number(rest, 7)?;
                let text = rest.get(bytes..bytes + length)?;
                if rest.first()? & 0x80 == 0 { std::str::from_utf8(text).ok()?.parse().ok() } else { digits(text) }
            }
            _ => None,
        }
    }
}

/// How many bytes a number with such a prefix takes, and the number.
fn number(bytes: &[u8], bits: u8) -> Option<(usize, usize)> {
    let most = (1 << bits) - 1;
    let first = usize::from(*bytes.first()?) & most;
    if first < most {
        return Some((1, first));
    }
    let mut value = most;
    for (at, byte) in bytes.iter().skip(1).take(4).enumerate() {
        value += usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((at + 2, value));
        }
    }
    None
}

/// Three digits in Huffman's code, where 0 to 2 take five bits and the others six.
fn digits(text: &[u8]) -> Option<u16> {
    let bits: Vec<u8> = text.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let value = |bits: &[u8]| bits.iter().fold(0u16, |value, bit| value << 1 | u16::from(*bit));
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let short = value(bits.get(at..at + 5)?);
        let (digit, length) =
            if short < 3 { (short, 5) } else { (value(bits.get(at..at + 6)?).checked_sub(0b01_1001)? + 3, 6) };
        at += length;
        status = status * 10 + digit;
    }
    Some(status)
}

/// A connection that has begun.
#[derive(Debug)]
pub struct Http2 {
    raw: Raw,
    /// How much may be sent on each stream, and in all (0), by what was said so far.
    room: BTreeMap<u32, i64>,
    /// The same of a stream that begins.
    initial: i64,
}

/// What came back until the connection ended, or until a certain stream was answered.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Why the connection is given up, if that was said.
    pub goaway: Option<u32>,
    /// Why streams were given up.
    pub resets: BTreeMap<u32, u32>,
    /// What streams were answered. (Only of the first answer with a status the table is sure to be empty.)
    pub statuses: BTreeMap<u32, Option<u16>>,
    /// How many answers to pings came in.
    pub pongs: usize,
    /// Whether the connection ended.
    pub ended: bool,
}

impl Http2 {
    /// Connects, says the preface and no setting.
    pub async fn open(addr: SocketAddr) -> Http2 {
        let mut raw = Raw::connect(addr).await;
        raw.send([PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat()).await;
        Http2 { raw, room: BTreeMap::new(), initial: USUAL_WINDOW }
    }

    /// Sends data on a stream as there is room for it; whether the connection and the stream went on.
    pub async fn send_data(&mut self, stream: u32, data: &[u8]) -> bool {
        for piece in data.chunks(16_384) {
            let length = piece.len() as i64;
            while self.room(0) < length || self.room(stream) < length {
                match self.next().await {
                    Some(frame) if frame.kind != kind::GOAWAY => {}
                    _ => return false,
                }
            }
            for id in [0, stream] {
                let left = self.room(id) - length;
                self.room.insert(id, left);
            }
            if !self.raw.send(frame(kind::DATA, 0, stream, piece)).await {
                return false;
            }
        }
        true
    }

    fn room(&self, stream: u32) -> i64 {
        let initial = if stream == 0 { USUAL_WINDOW } else { self.initial };
        self.room.get(&stream).copied().unwrap_or(initial)
    }

    /// What a frame says of how much may be sent.
    fn make_room(&mut self, frame: &Frame) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | i64::from(*byte));
        match frame.kind {
            kind::WINDOW_UPDATE => {
                let room = self.room(frame.stream) + number(&frame.payload);
                self.room.insert(frame.stream, room);
            }
            kind::SETTINGS => {
                for setting in frame.payload.chunks(6).filter(|setting| setting.starts_with(&[0, 4])) {
                    let initial = number(setting.get(2..).unwrap_or_default());
                    let more = initial - std::mem::replace(&mut self.initial, initial);
                    self.room.iter_mut().filter(|(stream, _)| **stream != 0).for_each(|(_, room)| *room += more);
                }
            }
            _ => {}
        }
    }

    /// Sends, and takes in what comes meanwhile; whether the other side took all of it.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.raw.send_reading(bytes).await
    }

    /// The next frame; none at the end of the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some([a, b, c, kind, flags, id @ ..]) = self.raw.buffer.first_chunk::<9>().copied() {
                let length = u32::from_be_bytes([0, a, b, c]) as usize;
                if let Some(payload) = self.raw.buffer.get(9..9 + length) {
                    let payload = payload.to_vec();
                    self.raw.buffer.drain(..9 + length);
                    let frame = Frame { kind, flags, stream: u32::from_be_bytes(id) & 0x7fff_ffff, payload };
                    self.make_room(&frame);
                    return Some(frame);
                }
            }
            if !self.raw.read_more().await {
                return None;
            }
        }
    }

    /// Reads until the connection ends or a stream is answered or given up.
    pub async fn outcome(&mut self, last: u32) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some(frame) = self.next().await {
            let code = |at: usize| frame.payload.get(at..at + 4).and_then(|code| code.try_into().ok());
            match frame.kind {
                kind::GOAWAY => outcome.goaway = code(4).map(u32::from_be_bytes),
                kind::RST_STREAM => _ = outcome.resets.insert(frame.stream, code(0).map_or(0, u32::from_be_bytes)),
                // Trailers come behind the head.
                kind::HEADERS => _ = outcome.statuses.entry(frame.stream).or_insert_with(|| frame.status()),
                kind::PING if frame.flags & flag::ACK != 0 => outcome.pongs += 1,
                _ => {}
            }
            if frame.stream == last && matches!(frame.kind, kind::RST_STREAM | kind::HEADERS) {
                return outcome;
            }
        }
        outcome.ended = true;
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_in_all_their_spellings() {
        let status =
            |payload: &[u8]| Frame { kind: kind::HEADERS, flags: 0, stream: 1, payload: payload.to_vec() }.status();
        assert_eq!(status(&[0x88]), Some(200));
        assert_eq!(status(&[0x3f, 0xe1, 0x1f, 0x8c]), Some(400), "behind a change of the table's size");
        assert_eq!(status(b"\x48\x03431"), Some(431));
        // The standard's own example: 302.
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), Some(302));
        assert_eq!(status(&[0x82]), None);
    }

    #[test]
    fn numbers_of_any_size() {
        for value in [0, 10, 126, 127, 128, 1337, 100_000] {
            let mut out = Vec::new();
            integer(&mut out, 0, 7, value);
            assert_eq!(number(&out, 7), Some((out.len(), value)));
        }
    }
}
