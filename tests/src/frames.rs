//! HTTP/2 by hand: frames as somebody likes to write them, and what comes back.
//!
//! `heads` has what stands in the heads of requests and answers.

mod heads;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::raw::Raw;
pub use heads::{block, field, request};

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

/// The head of a gRPC call.
pub fn grpc(stream: u32, path: &str) -> Vec<u8> {
    let more = block(&[("content-type", "application/grpc"), ("te", "trailers")]);
    frame(kind::HEADERS, flag::END_HEADERS, stream, &[request("POST", path), more].concat())
}

/// A whole GET.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &request("GET", path))
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

/// What came back until the connection ended, or until certain streams were answered.
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
                let Some(frame) = self.next().await else { return false };
                let ends = frame.kind == kind::RST_STREAM
                    || (frame.kind == kind::HEADERS && frame.flags & flag::END_STREAM != 0);
                if (ends && frame.stream == stream) || frame.kind == kind::GOAWAY {
                    return false;
                }
                // The room that settings make is there once they are acknowledged.
                if frame.kind == kind::SETTINGS && frame.flags & flag::ACK == 0 {
                    self.raw.send(self::frame(kind::SETTINGS, flag::ACK, 0, &[])).await;
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

    /// Reads until the connection ends or each of these streams is answered or given up: they come in any order.
    pub async fn outcome(&mut self, streams: &[u32]) -> Outcome {
        let mut outcome = Outcome::default();
        while !streams.iter().all(|id| outcome.statuses.contains_key(id) || outcome.resets.contains_key(id)) {
            let Some(frame) = self.next().await else {
                outcome.ended = true;
                break;
            };
            let code = |at: usize| frame.payload.get(at..at + 4).and_then(|code| code.try_into().ok());
            match frame.kind {
                kind::GOAWAY => outcome.goaway = code(4).map(u32::from_be_bytes),
                kind::RST_STREAM => _ = outcome.resets.insert(frame.stream, code(0).map_or(0, u32::from_be_bytes)),
                // Trailers come behind the head.
                kind::HEADERS => {
                    _ = outcome.statuses.entry(frame.stream).or_insert_with(|| heads::status(&frame.payload))
                }
                kind::PING if frame.flags & flag::ACK != 0 => outcome.pongs += 1,
                _ => {}
            }
        }
        outcome
    }
}
